"""The database of the on-call service: one transaction at a time for each incident, however many replicas there are.

On PostgreSQL rows are claimed with FOR UPDATE SKIP LOCKED, so that replicas share
the work and never do it twice. SQLite serves a single process: each transaction
takes the write lock at its start.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.oncall.tables import TIMELINE

MIGRATIONS: Final = Path(__file__).with_name("migrations")
QUERY_SECONDS: Final = 10.0
POOL_SIZE: Final = 5
LONGEST_DETAIL: Final = 500

Row = sa.RowMapping

_LATER: Final = "nobet.later"


class Store:
    """Connections to one database."""

    def __init__(self, url: str) -> None:
        self.url: Final = sa.make_url(url)
        self.is_postgres: Final = self.url.get_backend_name() == "postgresql"
        self._engine: Final = self._make_engine()
        self._one_writer: Final = asyncio.Lock()

    def _make_engine(self) -> AsyncEngine:
        if self.is_postgres:
            limits = {"statement_timeout": str(int(QUERY_SECONDS * 1000)), "application_name": "nobet-oncall"}
            arguments: dict[str, Any] = {"timeout": 5, "command_timeout": QUERY_SECONDS + 1, "server_settings": limits}
            return create_async_engine(
                self.url,
                hide_parameters=True,
                pool_size=POOL_SIZE,
                max_overflow=0,
                pool_timeout=5,
                pool_pre_ping=True,
                connect_args=arguments,
            )
        engine = create_async_engine(self.url, hide_parameters=True, connect_args={"timeout": QUERY_SECONDS})
        event.listen(engine.sync_engine, "connect", _leave_transactions_to_us)
        event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine

    async def migrate(self) -> None:
        """Bring the schema up to date; several replicas may do so at once."""
        async with self._engine.begin() as connection:
            await connection.run_sync(_upgrade)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Committed at the end, rolled back on an exception. What `when_stored` was given happens after the commit only."""
        async with nullcontext() if self.is_postgres else self._one_writer:
            async with self._engine.begin() as connection:
                later: list[Callable[[], None]] = []
                connection.info[_LATER] = later
                yield connection
            for action in later:
                action()

    def claimed(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The query, with rows that another replica holds left out, and the found ones held until the transaction ends."""
        return query.with_for_update(skip_locked=True) if self.is_postgres else query

    def held(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The query, waiting for rows that another replica holds."""
        return query.with_for_update() if self.is_postgres else query

    def insert_new(self, table: sa.Table) -> Any:
        """An insert that leaves rows alone that are there already."""
        make = postgresql.insert if self.is_postgres else sqlite.insert
        return make(table).on_conflict_do_nothing()

    def put(self, table: sa.Table, *key: str) -> Any:
        """An insert that overwrites all other columns of a row that is there already."""
        statement: Any = (postgresql.insert if self.is_postgres else sqlite.insert)(table)
        changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
        return statement.on_conflict_do_update(index_elements=list(key), set_=changed)

    async def ping(self) -> None:
        """Raises when the database doesn't answer."""
        async with self._engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


async def note(connection: AsyncConnection, incident_id: str, at: float, what: str, who: str = "", detail: str = "") -> None:
    """Add a line to an incident's timeline; it is never changed afterwards."""
    entry = {"incident_id": incident_id, "at": at, "what": what, "who": who[:200], "detail": detail[:LONGEST_DETAIL]}
    await connection.execute(sa.insert(TIMELINE).values(entry))


def when_stored(connection: AsyncConnection, action: Callable[[], None]) -> None:
    """Do it once the transaction is committed: what is counted or logged has happened, and is counted once however often it was tried."""
    connection.info[_LATER].append(action)


async def rows(connection: AsyncConnection, query: sa.Select[Any]) -> Sequence[Row]:
    """All rows of a query, by column name."""
    found: Sequence[Row] = (await connection.execute(query)).mappings().all()
    return found


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    """The driver would begin transactions late and in deferred mode, in which two writers end in an error."""
    connection.isolation_level = None


def _upgrade(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
