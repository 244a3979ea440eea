"""Time limits and units of work."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import DisconnectionError

from app.core import metrics
from app.core.config import Settings
from app.db import posts
from app.db.engine import Database, engine_options
from app.db.errors import DatabaseBusyError
from app.db.pool import refuse_closed
from tests.support.backend import sample
from tests.support.records import spooled

pytestmark = pytest.mark.anyio


def test_every_wait_for_postgresql_has_an_end(settings: Settings) -> None:
    """Pool, connecting and queries are limited; the client's limit lies behind the server's and all before the request's."""
    options: dict[str, Any] = engine_options(make_url("postgresql+asyncpg://u:p@h/d"), settings)
    connect = options["connect_args"]
    assert options["pool_timeout"] == settings.database_pool_timeout_seconds
    assert connect["timeout"] == settings.database_connect_timeout_seconds
    assert int(connect["server_settings"]["statement_timeout"]) / 1000 < connect["command_timeout"]
    assert options["pool_timeout"] + connect["timeout"] + connect["command_timeout"] < settings.request_timeout_seconds


def test_parameters_are_hidden_on_every_database(settings: Settings) -> None:
    """SQLAlchemy would print them in its exceptions."""
    for url in ("postgresql+asyncpg://u:p@h/d", "sqlite+aiosqlite:///x.db", "sqlite+aiosqlite://"):
        assert engine_options(make_url(url), settings)["hide_parameters"] is True


async def test_a_unit_of_work_is_all_or_nothing(database: Database) -> None:
    """An exception rolls back what was stored before it."""

    async def work() -> None:
        async with database.session() as session:
            await posts.add(session, "7", "a", "b")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await work()
    async with database.session() as session:
        assert list(await posts.newest(session, 10)) == []


@pytest.mark.req("DBQ-05", "ERR-09")
async def test_an_exhausted_pool_fails_in_time_and_says_so(settings: Settings, tmp_path: Path, anyio_backend: str) -> None:
    """DatabaseBusyError after the limit, usage 100 %, an ERROR record and a count with the reason; afterwards it works again."""
    database = Database(settings.model_copy(update={"database_pool_size": 1, "database_pool_timeout_seconds": 0.05}))

    def value(name: str, **labels: str) -> float:
        return sample(metrics.exposition(None)[0].decode(), name, **labels)

    before = value("db_connection_failures_total", reason="pool_exhausted")
    async with database.session():
        assert value("db_pool_usage_percent") == 100
        with pytest.raises(DatabaseBusyError):
            async with database.session():
                pass
    assert value("db_connection_failures_total", reason="pool_exhausted") == before + 1
    (record,) = [found for found in spooled(tmp_path / "spool") if found.get("event") == "db.query.failed"]
    assert (record["operation"], record["reason"]) == ("connect", "pool_exhausted")
    await database.ping()
    await database.close()


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    """The pool is told to take another one; an open connection, and a driver that can't tell, pass."""
    refuse_closed(SimpleNamespace(driver_connection=SimpleNamespace(is_closed=lambda: False)))
    refuse_closed(SimpleNamespace(driver_connection=object()))
    with pytest.raises(DisconnectionError):
        refuse_closed(SimpleNamespace(driver_connection=SimpleNamespace(is_closed=lambda: True)))


async def test_an_unreachable_database_raises_and_is_recorded_as_a_failed_query(
    settings: Settings, tmp_path: Path, anyio_backend: str
) -> None:
    """No query ran, yet the log has the failed attempt with its reason."""
    database = Database(settings.model_copy(update={"database_url": SecretStr("postgresql+asyncpg://u:hidden-password@127.0.0.1:1/d")}))
    with pytest.raises(ConnectionRefusedError):
        async with database.session():
            pass
    await database.close()
    (record,) = [found for found in spooled(tmp_path / "spool") if found.get("event") == "db.query.failed"]
    assert (record["level"], record["operation"], record["reason"]) == ("ERROR", "connect", "unreachable")
    assert "hidden-password" not in str(spooled(tmp_path / "spool"))
