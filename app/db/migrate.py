"""Brings the schema up to date from inside the process, for trial use on SQLite.

On PostgreSQL this is a step of the deployment: `alembic upgrade head`.
"""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection

from app.core import context
from app.core.logger import get_logger
from app.db.engine import Database

MIGRATIONS: Final = Path(__file__).with_name("migrations")

log = get_logger(__name__)
logging.getLogger("alembic").setLevel(logging.WARNING)  # `db.migrated` says what was done


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration without an ini file; over `connection` when given, else over DATABASE_URL."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def upgrade_trial_database(database: Database) -> None:
    """Create or update the schema of a SQLite database; does nothing on any other."""
    if database.url.get_backend_name() != "sqlite":
        return
    with context.run("migrations"), _one_at_a_time(database.url):
        async with database.connection() as connection:
            await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    before = MigrationContext.configure(connection).get_current_revision()
    command.upgrade(alembic_config(connection), "head")
    after = MigrationContext.configure(connection).get_current_revision()
    if after != before:
        log.info("The schema was brought up to date", event="db.migrated", version=after)


@contextmanager
def _one_at_a_time(url: URL) -> Iterator[None]:
    """Several workers start at once on one file; the first migrates, the others find it done."""
    if url.database in (None, "", ":memory:"):
        yield
        return
    with Path(f"{url.database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
