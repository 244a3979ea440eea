"""Tracked events on their way to PostgreSQL and Elasticsearch: each once, whatever happens in between."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core import analytics, context, metrics
from app.core.telemetry.tracked import TRACKED
from tests.support.processes import bare_environment
from tests.support.tracking import Tracking
from tests.support.waiting import wait_until

MANY = 20_000
"""A tenth of a day's volume (10,000 users, 20 interactions each)."""

TYPES = sorted(TRACKED)


def _events(count: int) -> list[tuple[str, str, dict[str, Any]]]:
    return [(f"user-{number % 1000}", TYPES[number % len(TYPES)], {"duration_ms": number % 500}) for number in range(count)]


@pytest.mark.req("PRF-07", "TST-08", "ANA-10", "ANA-06", "ANA-13")
def test_a_day_s_events_are_in_both_stores_exactly_once(tracking: Tracking) -> None:
    """20,000 events while log records flow: the counts of both stores equal what was tracked, by type, in few writes."""
    tracking.shipping.start()
    with tracking.shipping.producer.writing():
        tracking.track(*_events(MANY), analytics_queue_events=MANY, analytics_shutdown_seconds=60)
    tracking.wait_for(MANY)
    expected = Counter(name for _, name, _ in _events(MANY))
    by_type = json.loads(
        tracking.postgres.ask(
            "SELECT json_object_agg(event_type, n)::text FROM (SELECT event_type, count(*) n FROM tracked_events GROUP BY 1) c"
        )
    )
    assert by_type == expected
    answer = tracking.shipping.admin.search(
        index=f"{tracking.events}-*", size=0, aggs={"types": {"terms": {"field": "event_type", "size": 100}}}
    )
    assert {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["types"]["buckets"]} == expected
    documents = tracking.documents()
    assert len({document["id"] for document in documents}) == MANY
    assert tracking.rows("user_ref IS NOT NULL") == MANY
    written = set(tracking.shipping.producer.written)
    wait_until("the log records are there, too", lambda: tracking.shipping.arrived() == written, 60)


@pytest.mark.req("SHP-06", "ANA-06")
def test_killing_the_shipper_loses_and_doubles_no_event(tracking: Tracking) -> None:
    """`kill -9` in the middle, twice: the guarantees of the log carry over."""
    tracking.track(*_events(6000), analytics_queue_events=6000, analytics_shutdown_seconds=60)
    for _ in range(2):
        before = tracking.shipping.count(tracking.events)
        goal = min(before + 1, 6000)  # a life may have brought them all before it was looked at
        tracking.shipping.start(SHIPPER_BATCH_DOCS="100")
        wait_until("events flow", lambda goal=goal: tracking.shipping.count(tracking.events) >= goal, 60)  # type: ignore[misc]
        tracking.shipping.kill(signal.SIGKILL)
    tracking.shipping.start()
    tracking.wait_for(6000)
    assert len({document["id"] for document in tracking.documents()}) == 6000


@pytest.mark.req("ANA-08")
def test_a_database_that_is_away_gets_the_events_later(tracking: Tracking) -> None:
    """While PostgreSQL is down, tracking costs nothing and the other store goes on; afterwards the rows are there, once each."""
    tracking.shipping.start()

    async def work() -> None:
        async with tracking.running(analytics_shutdown_seconds=60):
            analytics.track_event("1", "login", {"outcome": "success"})
            await _until("the first row", lambda: tracking.rows() == 1)
            await asyncio.to_thread(tracking.postgres.stop)
            for _ in range(250):
                analytics.track_event("2", "message_sent")
            await _until("Elasticsearch has them", lambda: tracking.shipping.count(tracking.events) == 251)
            await asyncio.to_thread(tracking.postgres.start)

    asyncio.run(work())
    assert tracking.rows() == 251


@pytest.mark.req("ANA-08")
def test_a_database_that_hangs_is_given_up_and_tried_again(tracking: Tracking) -> None:
    """Frozen for longer than a batch may take: nothing is lost and nothing stored twice."""

    async def work() -> None:
        async with tracking.running(analytics_shutdown_seconds=60, analytics_store_timeout_seconds=2):
            tracking.postgres.freeze()
            try:
                for _ in range(250):
                    analytics.track_event("2", "message_sent")
                failures = _failures()
                await _until("a batch was given up", lambda: _failures() > failures)
            finally:
                tracking.postgres.thaw()

    asyncio.run(work())
    assert tracking.rows() == 250


@pytest.mark.req("PRV-08", "ANA-07", "ANA-11")
def test_neither_store_has_anything_personal(tracking: Tracking) -> None:
    """E-mail address, name, IP address, telephone number and the user id itself: none of them arrives anywhere."""
    personal = {"email": "zuhal@example.org", "name": "Zuhal Lovelace", "ip": "8.8.8.8", "model": "8.8.8.8", "chat_id": "zuhal@example.org"}
    tracking.shipping.start()
    tracking.track(("zuhal@example.org", "message_sent", {**personal, "message_length": 3, "platform": "+90 532 111 22 33"}))
    tracking.wait_for(1)
    stored = tracking.everything()
    # No word that ids in hexadecimal or the digits of a time could have by chance.
    assert [text for text in ("zuhal", "Zuhal", "Lovelace", "8.8.8.8", "532 111", "5321112233") if text in stored] == []
    (document,) = tracking.documents()
    assert document["properties"] == {"message_length": 3}
    assert len(json.dumps(document)) < 1024
    assert tracking.rows(f"user_ref = '{document['user_ref']}' AND id = '{document['id']}'") == 1


@pytest.mark.req("BIZ-05")
def test_the_time_between_the_ends_of_a_flow_can_be_asked_for(tracking: Tracking) -> None:
    """Start and end of a payment share their correlation id, so SQL gives the time in between; Elasticsearch averages durations."""

    async def work() -> None:
        async with tracking.running():
            with context.run("test"):
                analytics.track_event("1", "payment_started")
                await asyncio.sleep(0.1)
                analytics.track_event("1", "payment", {"outcome": "success", "duration_ms": 50})

    tracking.shipping.start()
    asyncio.run(work())
    tracking.wait_for(2)
    seconds = tracking.postgres.ask(
        "SELECT extract(epoch FROM b.timestamp - a.timestamp) FROM tracked_events a JOIN tracked_events b USING (request_id)"
        " WHERE a.event_type = 'payment_started' AND b.event_type = 'payment'"
    )
    assert float(seconds) >= 0.05
    answer = tracking.shipping.admin.search(
        index=f"{tracking.events}-*", size=0, aggs={"mean": {"avg": {"field": "properties.duration_ms"}}}
    )
    assert answer["aggregations"]["mean"]["value"] == 50


WORKER = """
import asyncio, sys
from functools import partial
from app.core import analytics, context, metrics
from app.core.config import load_settings
from app.db.engine import Database
from app.db.events import store_events

async def main():
    settings = load_settings(_env_file=None)
    database = Database(settings)
    tracker = analytics.setup(settings, "app")
    tracker.add_store("postgres", partial(store_events, database))
    async with tracker.running():
        for number in range(int(sys.argv[1])):
            analytics.track_event(number, "message_sent")
            if number % 100 == 0:
                await asyncio.sleep(0)
    await database.close()

asyncio.run(main())
"""


@pytest.mark.req("ANA-06")
def test_several_workers_keep_each_other_s_events_whole(tracking: Tracking, tmp_path: Path) -> None:
    """Three processes at once into one spool and one table: every event once."""
    tracking.shipping.start()
    env = bare_environment(
        SPOOL_DIR=str(tracking.shipping.spool), DATABASE_URL=tracking.postgres.url, ENVIRONMENT="test", ANALYTICS_SHUTDOWN_SECONDS="60",
        LOG_STDOUT="false",
    )  # fmt: skip
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, "1000"], cwd=tmp_path, env=env) for _ in range(3)]
    assert [worker.wait(180) for worker in workers] == [0, 0, 0]
    tracking.wait_for(3000)
    assert tracking.rows() == 3000


def _failures() -> float:
    return metrics.REGISTRY.get_sample_value("tracked_events_store_failures_total", {"store": "postgres"}) or 0.0


async def _until(what: str, probe: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, what, probe, 60)
