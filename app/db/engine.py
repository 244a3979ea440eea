"""The connection pool and units of work.

Every wait has an end: for a free connection, for opening one, for a query
(kept by the server, and one second later by the client, for a server that
doesn't answer any more). A restarted database needs no restart of ours: a
connection that the server closed is noticed when it is taken from the pool.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.core.config import Settings
from app.db.errors import DatabaseBusyError
from app.db.observe import PROBE, QueryObserver
from app.db.pool import PoolObserver

CLIENT_GRACE_SECONDS: Final = 1.0
"""The client waits this much longer than the server, which can end a query without losing the connection."""

RECYCLE_SECONDS: Final = 1800
"""Idle connections are often dropped by something in between after an hour."""


class Database:
    """The one pool of this process."""

    def __init__(self, settings: Settings) -> None:
        self.url: Final[URL] = make_url(settings.database_url.get_secret_value())
        self._engine: Final[AsyncEngine] = create_async_engine(self.url, **engine_options(self.url, settings))
        self._sessions: Final = async_sessionmaker(self._engine, expire_on_commit=False)
        self._queries: Final = QueryObserver(self._engine.sync_engine, slow_ms=settings.database_slow_query_ms)
        PoolObserver(self._engine.sync_engine.pool, size=settings.database_pool_size)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end, rolled back on an exception.

        The connection is taken at once, so that its absence shows here. Raises
        DatabaseBusyError when none gets free in time, and the driver's own error
        when the database can't be reached.
        """
        async with self._sessions() as session:
            with self._queries.connecting():
                try:
                    await session.connection()
                except PoolTimeout as error:
                    raise DatabaseBusyError("No database connection got free in time") from error
            yield session
            with self._queries.committing():
                await session.commit()

    async def ping(self) -> None:
        """A trivial query over the pool. Raises when it fails; leaves the log and the metrics of queries alone."""
        async with self._engine.connect() as connection:
            await connection.execution_options(**{PROBE: True})
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A bare connection in a transaction, for migrations."""
        async with self._engine.begin() as connection:
            yield await connection.execution_options(**{PROBE: True})

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def engine_options(url: URL, settings: Settings) -> dict[str, Any]:
    """Keyword arguments of `create_async_engine`: time limits and pool size. Values never reach a message."""
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "postgresql":
        options["connect_args"] = {
            "timeout": settings.database_connect_timeout_seconds,
            "command_timeout": settings.database_timeout_seconds + CLIENT_GRACE_SECONDS,
            "server_settings": {
                "application_name": settings.service_name or settings.app_name,
                "statement_timeout": str(int(settings.database_timeout_seconds * 1000)),
            },
        }
    else:
        options["connect_args"] = {"timeout": settings.database_timeout_seconds}
    if url.database not in (None, "", ":memory:"):
        options |= {
            "pool_size": settings.database_pool_size,
            "max_overflow": 0,
            "pool_timeout": settings.database_pool_timeout_seconds,
            "pool_recycle": RECYCLE_SECONDS,
        }
    return options
