"""The table of tracked events, on SQLite. The same on PostgreSQL is in tests/integration/analytics."""

import dataclasses
import datetime as dt
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.core.analytics_lane import RejectedError
from app.db.engine import Database
from app.db.events import delete_before, store_events
from app.db.models import TrackedEventRow
from app.domain.event_retention import forget_once
from tests.support.tracked import make_event

pytestmark = [pytest.mark.anyio, pytest.mark.req("ANA-01", "ANA-06")]


async def _rows(database: Database) -> list[TrackedEventRow]:
    async with database.session() as session:
        return list((await session.scalars(select(TrackedEventRow))).all())


async def test_a_batch_is_stored_as_it_is(database: Database) -> None:
    """Every column as in the event, the time with its zone and microseconds."""
    event = make_event("chat_start", model="gpt-4", chat_id="c-7")
    await store_events(database, [event])
    (row,) = await _rows(database)
    assert (row.id, row.event_type, row.source, row.user_ref, row.key_id, row.request_id, row.properties) == (
        UUID(event.id),
        "chat_start",
        "backend",
        event.user_ref,
        event.key_id,
        "r1",
        {"model": "gpt-4", "chat_id": "c-7"},
    )
    assert row.timestamp == event.time
    assert row.timestamp.tzinfo == dt.UTC


async def test_what_is_stored_again_is_there_once(database: Database) -> None:
    """After a time-out nobody knows whether a batch arrived; sending it again is harmless, also together with new events."""
    events = [make_event() for _ in range(3)]
    await store_events(database, events[:2])
    await store_events(database, events)
    assert {row.id for row in await _rows(database)} == {UUID(event.id) for event in events}


async def test_storing_leaves_no_trace_among_the_queries(database: Database, tmp_path: object) -> None:
    """It is no part of a request: a failing store must not look like failing queries of the application."""
    from app.core import metrics

    before = metrics.REGISTRY.get_sample_value("db_queries_total", {"operation": "insert", "outcome": "success"})
    await store_events(database, [make_event()])
    assert metrics.REGISTRY.get_sample_value("db_queries_total", {"operation": "insert", "outcome": "success"}) == before


async def test_a_missing_table_is_worth_another_try(database: Database) -> None:
    """Only what is the data's own fault is given up; a migration may be on its way."""
    async with database.session() as session:
        await session.execute(text("DROP TABLE tracked_events"))
    with pytest.raises(Exception) as caught:
        await store_events(database, [make_event()])
    assert not isinstance(caught.value, RejectedError)


@pytest.mark.req("RET-10")
async def test_old_events_are_forgotten_and_others_stay(database: Database) -> None:
    """Older than EVENTS_RETENTION_DAYS goes, in pieces; what is younger stays, and the record says how many went."""
    now = dt.datetime.now(dt.UTC)
    old, young = ([dataclasses.replace(make_event(), time=now - dt.timedelta(days=days)) for _ in range(3)] for days in (91, 89))
    await store_events(database, old + young)
    await forget_once(database, 90)
    assert {row.id for row in await _rows(database)} == {UUID(event.id) for event in young}
    assert await delete_before(database, now) == 3
