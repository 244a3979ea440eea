"""Runs the migrations: `alembic upgrade head` from the command line, or over a connection that the caller has open."""

import asyncio
import logging
from typing import Final

from alembic import context
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import load_settings
from app.db.models import Base

MIGRATION_LOCK: Final = 0x6E6F626574
"""Key of the advisory lock that lets one of several instances migrate at a time: "nobet" in ASCII."""

LOCK_TIMEOUT: Final = "10s"
"""A migration that waits longer for a table gives up instead of blocking the application behind it."""


def run_over(connection: Connection) -> None:
    """Migrate over an open connection, in its transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    context.configure(
        connection=connection, target_metadata=Base.metadata, compare_type=True, render_as_batch=connection.dialect.name == "sqlite"
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Open a connection to DATABASE_URL and migrate over it."""
    engine = create_async_engine(load_settings().database_url.get_secret_value(), poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run_over)
    finally:
        await engine.dispose()


def run_offline() -> None:
    """Print the SQL instead of running it: `alembic upgrade head --sql`."""
    url = make_url(load_settings().database_url.get_secret_value())
    context.configure(dialect_name=url.get_backend_name(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
elif (given := context.config.attributes.get("connection")) is not None:
    run_over(given)
else:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
    asyncio.run(run_online())
