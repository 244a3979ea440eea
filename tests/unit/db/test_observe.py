"""What queries leave behind."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.core import metrics
from app.core.config import Settings
from app.db import posts
from app.db.engine import Database
from tests.support.backend import sample
from tests.support.records import spooled

pytestmark = pytest.mark.anyio


def _queries(tmp_path: Path) -> list[dict[str, Any]]:
    """The records about queries of the test's own id."""
    found = spooled(tmp_path / "spool")
    return [record for record in found if str(record.get("event")).startswith("db.query") and record.get("request_id") == "unit"]


def _value(name: str, **labels: str) -> float:
    return sample(metrics.exposition(None)[0].decode(), name, **labels)


@pytest.mark.req("DBQ-01", "DBQ-02", "DBQ-07")
async def test_a_query_is_recorded_with_statement_and_duration_and_without_parameters(database: Database, tmp_path: Path) -> None:
    """One DEBUG record with placeholders; what was passed is nowhere."""
    async with database.session() as session:
        await posts.add(session, "somebody", "a secret title", "a secret text")
    (record,) = _queries(tmp_path)
    assert (record["event"], record["level"], record["operation"], record["rows"]) == ("db.query", "DEBUG", "insert", 1)
    assert record["statement"].startswith("INSERT INTO posts (author_id, title, body, created_at) VALUES (?, ?, ?, ?)")
    assert "\n" not in record["statement"]
    assert record["duration_ms"] > 0
    assert "secret" not in str(record)


@pytest.mark.req("DBQ-05")
@pytest.mark.parametrize(
    ("statement", "operation"),
    [
        ("SELECT 1", "select"),
        ("  select 1", "select"),
        ("DELETE FROM posts", "delete"),
        ("UPDATE posts SET title = ''", "update"),
        ("PRAGMA user_version", "other"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "other"),
    ],
)
async def test_queries_are_counted_and_timed_by_operation(database: Database, statement: str, operation: str) -> None:
    """Counter and histogram rise by one under one of the declared operations."""
    series = [
        ("db_queries_total", {"operation": operation, "outcome": "success"}),
        ("db_query_duration_seconds_count", {"operation": operation}),
    ]
    before = [_value(name, **labels) for name, labels in series]
    async with database.session() as session:
        await session.execute(text(statement))
    assert [_value(name, **labels) - was for (name, labels), was in zip(series, before, strict=True)] == [1, 1]


@pytest.mark.req("DBQ-06")
async def test_a_slow_query_is_a_warning(settings: Settings, tmp_path: Path, anyio_backend: str) -> None:
    """Beyond DATABASE_SLOW_QUERY_MS the one record of the query is a WARNING and marked slow; a quick one stays DEBUG."""
    database = Database(settings.model_copy(update={"database_slow_query_ms": 1}))
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT max(i) FROM n"
    async with database.session() as session:
        await session.execute(text(counting))
    await database.close()
    # A busy machine makes other queries slow, too, and the commit, which has no statement.
    (record,) = [record for record in _queries(tmp_path) if "RECURSIVE" in record.get("statement", "")]
    assert (record["event"], record["level"], record["slow"]) == ("db.query.slow", "WARNING", True)


@pytest.mark.req("DBQ-03")
async def test_a_failed_query_is_an_error_and_raised(database: Database, tmp_path: Path) -> None:
    """One ERROR record with statement and exception; the counter of failures rises; the caller gets the exception."""
    before = _value("db_queries_total", operation="select", outcome="failure")
    with pytest.raises(OperationalError):
        async with database.session() as session:
            await session.execute(text("SELECT * FROM nothing WHERE x = :secret"), {"secret": "hidden value"})
    (record,) = _queries(tmp_path)
    assert (record["event"], record["level"], record["reason"], record["error_type"]) == (
        "db.query.failed",
        "ERROR",
        "error",
        "OperationalError",
    )
    assert record["statement"] == "SELECT * FROM nothing WHERE x = ?"
    assert "hidden value" not in str(spooled(tmp_path / "spool"))
    assert _value("db_queries_total", operation="select", outcome="failure") == before + 1


async def test_a_query_that_is_given_up_is_no_failure(database: Database, tmp_path: Path) -> None:
    """A cancelled request cancels its query: counted as such, without an ERROR record, and the pool goes on."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"

    async def work() -> None:
        async with database.session() as session:
            await session.execute(text(endless))

    before = _value("db_queries_total", operation="other", outcome="cancelled")
    sent = asyncio.Event()
    event.listen(Engine, "before_cursor_execute", lambda *_: sent.set(), once=True)
    task = asyncio.create_task(work())
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {record["level"] for record in _queries(tmp_path)} <= {"DEBUG"}
    assert _value("db_queries_total", operation="other", outcome="cancelled") == before + 1
    await database.ping()


async def test_a_health_check_leaves_the_query_records_alone(database: Database, tmp_path: Path) -> None:
    """A ping is no work: neither a record nor a count."""
    before = _value("db_queries_total", operation="select", outcome="success")
    await database.ping()
    assert _queries(tmp_path) == []
    assert _value("db_queries_total", operation="select", outcome="success") == before


@pytest.mark.req("DBQ-05")
async def test_the_gauges_follow_the_pool(database: Database) -> None:
    """In use while a session is open, idle afterwards, gone after closing; 100 % when all connections are in use."""
    assert _value("db_pool_connections", state="in_use") == 0
    async with database.session():
        assert _value("db_pool_connections", state="in_use") == 1
        assert _value("db_pool_usage_percent") == 10
    assert _value("db_pool_connections", state="in_use") == 0
    assert _value("db_pool_connections", state="idle") == 1
    await database.close()
    assert _value("db_pool_connections", state="idle") == 0


@pytest.mark.req("DBQ-03", "LOG-23", "J-15")
async def test_a_commit_that_fails_is_told_apart_from_a_query(database: Database, tmp_path: Path) -> None:
    """One ERROR record whose operation is `commit`; the exception goes on to the caller."""
    async with database.session() as session:
        await session.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        await session.execute(text("CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"))

    async def orphan() -> None:
        async with database.session() as session:
            raw = await (await session.connection()).get_raw_connection()
            assert raw.driver_connection is not None
            await raw.driver_connection.rollback()
            await raw.driver_connection.execute("PRAGMA foreign_keys = ON")
            await session.execute(text("INSERT INTO children VALUES (4711)"))

    with pytest.raises(IntegrityError):
        await orphan()
    (failed,) = [record for record in _queries(tmp_path) if record["event"] == "db.query.failed"]
    assert (failed["level"], failed["operation"], failed["message"]) == ("ERROR", "commit", "A commit failed")
    assert "statement" not in failed


@pytest.mark.req("DBQ-06", "J-15")
async def test_a_commit_that_takes_long_is_flagged(settings: Settings, tmp_path: Path, anyio_backend: str) -> None:
    """A WARNING with `slow` and the operation `commit`; quick ones leave nothing."""
    quick = Database(settings)
    async with quick.session() as session:
        await session.execute(text("SELECT 1"))
    assert [record.get("operation") for record in _queries(tmp_path)] == ["select"]
    await quick.close()
    slow = Database(settings.model_copy(update={"database_slow_query_ms": -1}))
    async with slow.session():
        pass
    (record,) = [found for found in _queries(tmp_path) if found["event"] == "db.query.slow"]
    assert (record["level"], record["slow"], record["operation"]) == ("WARNING", True, "commit")
    await slow.close()
