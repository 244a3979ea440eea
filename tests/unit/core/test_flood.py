"""Floods are bounded and told, requests are sampled as a whole, and errors are always written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import context
from app.core.config import load_settings
from app.core.flood import BUSY, FloodGate
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.logger import get_logger
from app.core.pipeline import PIPELINE
from app.core.requests import Recorder, Request
from app.core.sampling import share_of
from app.core.tracing import RequestTrace
from tests.support.asgi import sample
from tests.support.clock import Clock
from tests.support.records import listen_alone, spooled

log = get_logger("tests.flood")

LIMIT = 100


@pytest.fixture
def clock() -> Clock:
    """The gate's clock."""
    return Clock()


@pytest.fixture
def written(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Call it with settings to begin, and without for the records so far."""

    def records(**changes: Any) -> list[dict[str, Any]]:
        if changes:
            settings = load_settings(_env_file=None, spool_dir=tmp_path, log_stdout=False, environment="test", log_level="DEBUG", **changes)
            setup_logging(settings)
            PIPELINE.gate = FloodGate(settings, clock)
        return spooled(tmp_path)

    yield records
    shutdown_logging()


@pytest.mark.req("SMP-05")
def test_ten_thousand_equal_warnings_are_bounded_and_counted(written: Callable[..., list[dict[str, Any]]], clock: Clock) -> None:
    """Up to the limit they are written; the next after the window says how many were not; the counters add up."""
    written(log_flood_limit=LIMIT)
    left_out, emitted = sample("log_records_suppressed_total", reason="flood"), sample("log_records_emitted_total", log_level="warning")
    for _ in range(10_000):
        log.warning("Redis does not answer")
    assert len(written()) == LIMIT
    assert sample("log_records_suppressed_total", reason="flood") - left_out == 10_000 - LIMIT
    assert sample("log_records_emitted_total", log_level="warning") - emitted == LIMIT
    clock.now += 60
    log.warning("Something else")
    log.warning("Redis does not answer")
    log.warning("Redis does not answer")
    assert [record.get("suppressed") for record in written()[LIMIT:]] == [None, 10_000 - LIMIT, None]


@pytest.mark.req("SMP-05", "LOG-23")
def test_errors_and_the_ends_of_requests_are_all_written(written: Callable[..., list[dict[str, Any]]]) -> None:
    """ERROR and above, and the one record that each request owes, know no limit."""
    written(log_flood_limit=10)
    for _ in range(500):
        log.error("The payment failed")
        log.critical("The disk is gone")
        log.warning("GET /feed 499", event="http.request.cancelled")
    assert len(written()) == 1500


@pytest.mark.req("SMP-01", "LOG-23")
@pytest.mark.parametrize(("rate", "count"), [(1.0, 30), (0.0, 0)])
def test_the_shortest_way_of_a_requests_end_obeys_the_sample_and_knows_no_limit(
    written: Callable[..., list[dict[str, Any]]], rate: float, count: int
) -> None:
    """What is written of a request that ended well: all of them beyond the flood's limit, none of a request out of the sample."""
    listen_alone()
    written(log_flood_limit=1, log_sample_rate=rate, log_sample_slow_ms=3_600_000)
    request = Request({"path": "/x"}, "GET", "/x", RequestTrace("1" * 32, "1" * 16, None))
    request.status, recorder = 200, Recorder()
    with_request = context.replace({"request_id": "abc", "method": "GET"})
    try:
        for _ in range(30):
            recorder.finish(request)
    finally:
        context.restore(with_request)
    assert len(written()) == count


@pytest.mark.req("SMP-05", "SMP-09")
def test_requests_do_not_use_up_each_others_limit(written: Callable[..., list[dict[str, Any]]]) -> None:
    """The same INFO record of a thousand requests is no flood; a loop in one of them is."""
    written(log_flood_limit=10)
    for number in range(1000):
        with context.run("request", request_id=f"r{number}"):
            log.info("feed.loaded", count=1)
    assert len(written()) == 1000
    with context.run("request", request_id="looping"):
        for _ in range(5000):
            log.debug("step.taken")
    assert len([record for record in written() if record["request_id"] == "looping"]) <= 10 * BUSY + 10


@pytest.mark.req("SMP-05")
def test_without_a_limit_everything_is_written(written: Callable[..., list[dict[str, Any]]]) -> None:
    """LOG_FLOOD_LIMIT=0."""
    written(log_flood_limit=0)
    for _ in range(3000):
        log.warning("Redis does not answer")
    assert len(written()) == 3000


def serve(ident: str, status: int = 200, duration_ms: float = 5.0) -> None:
    """The records of one request."""
    token = context.replace({"request_id": ident, "method": "GET", "path": "/feed"})
    log.info("GET /feed", event="http.request.started")
    log.debug("A query ran", event="db.query")
    log.warning("A query was slow", event="db.query.slow")
    level = 40 if status >= 500 else 20
    log.log(level, f"GET /feed {status}", event="http.request.completed", status_code=status, duration_ms=duration_ms)
    context.restore(token)


@pytest.mark.req("SMP-09")
def test_a_request_is_in_the_sample_as_a_whole_or_not_at_all(written: Callable[..., list[dict[str, Any]]]) -> None:
    """About the share of the ids is complete; of the others only the warning is there. The counters add up."""
    written(log_sample_rate=0.5)
    left_out = sample("log_records_suppressed_total", reason="sampled")
    ids = [f"request-{number}" for number in range(400)]
    for ident in ids:
        serve(ident)
    found: dict[str, list[str]] = {}
    for record in written():
        found.setdefault(record["request_id"], []).append(record["event"])
    whole = [ident for ident, events in found.items() if len(events) == 4]
    assert {tuple(found[ident]) for ident in set(ids) - set(whole)} == {("db.query.slow",)}
    assert 160 <= len(whole) <= 240
    assert all(share_of(ident) < 0.5 for ident in whole)
    assert sample("log_records_suppressed_total", reason="sampled") - left_out == 3 * (400 - len(whole))


@pytest.mark.req("SMP-09", "LOG-23")
@pytest.mark.parametrize(("status", "duration_ms"), [(500, 5.0), (404, 5.0), (200, 1500.0)])
def test_a_request_that_ends_badly_or_slowly_keeps_its_last_record(
    written: Callable[..., list[dict[str, Any]]], status: int, duration_ms: float
) -> None:
    """Outside of the sample too."""
    written(log_sample_rate=0.0)
    serve("left-out", status, duration_ms)
    assert [record["event"] for record in written()] == ["db.query.slow", "http.request.completed"]


@pytest.mark.req("SMP-09")
def test_what_is_no_request_is_not_sampled(written: Callable[..., list[dict[str, Any]]]) -> None:
    """Start, end and background work of a process are always told."""
    written(log_sample_rate=0.0)
    with context.run("app"):
        log.info("Service is ready", event="app.started")
    log.info("No context at all")
    assert len(written()) == 2


def test_left_out_records_are_still_steps_of_an_error_event(written: Callable[..., list[dict[str, Any]]]) -> None:
    """Masked, like those that are written."""
    written(log_sample_rate=0.0)
    shown: list[str] = []
    PIPELINE.observer = lambda _level, record, _error: shown.append(record["message"])
    try:
        serve("left-out")
        token = context.replace({"request_id": "other", "method": "GET"})
        log.info("password=hunter2")
        context.restore(token)
    finally:
        PIPELINE.observer = None
    assert shown == ["GET /feed", "A query was slow", "GET /feed 200", "password=***"]
