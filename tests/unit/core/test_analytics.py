"""track_event: what it promises to its callers, and to the events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import analytics, context, metrics
from app.core.analytics import Tracker, track_event
from app.core.analytics_lane import Buffer, RejectedError
from app.core.config import load_settings
from app.core.telemetry.tracked import TRACKED
from app.core.tracked_event import TrackedEvent
from tests.support.chat import eventually
from tests.support.tracked import KEY, events_in, make_event

pytestmark = pytest.mark.anyio

LONG = 3600.0
Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


def _tracker(**settings: Any) -> Tracker:
    defaults = {"analytics_key": KEY, "analytics_flush_seconds": LONG, "spool_dir": None}
    return analytics.setup(load_settings(**(defaults | settings)), "app")


def _value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


class Store:
    """Takes batches, unless it is told to misbehave."""

    def __init__(self) -> None:
        self.batches: list[list[TrackedEvent]] = []
        self.calls = 0
        self.misbehave: Callable[[Sequence[TrackedEvent]], Any] = lambda _events: None

    async def __call__(self, events: Sequence[TrackedEvent]) -> None:
        """Store a batch, as a lane asks for it."""
        self.calls += 1
        waiting = self.misbehave(events)
        if waiting is not None:
            await waiting
        self.batches.append(list(events))

    @property
    def events(self) -> list[TrackedEvent]:
        """Everything that it took."""
        return [event for batch in self.batches for event in batch]


@asynccontextmanager
async def _running(store: Store, **settings: Any) -> AsyncIterator[Tracker]:
    tracker = _tracker(**settings)
    tracker.add_store("postgres", store)
    async with tracker.running():
        yield tracker


async def _until(what: str, probe: Callable[[], object]) -> None:
    await eventually(what, probe, 60)  # a spool is read while a thread writes into it


@pytest.mark.req("ANA-01", "ANA-06")
async def test_a_hundred_events_are_one_write() -> None:
    """The batch is stored when it is full, without waiting for the time."""
    store = Store()
    async with _running(store, analytics_batch_events=100):
        for _ in range(100):
            track_event(7, "message_sent", {"message_length": 3})
        await _until("the batch was stored", lambda: store.batches)
    assert [len(batch) for batch in store.batches] == [100]


@pytest.mark.req("ANA-06")
async def test_a_single_event_is_stored_after_the_interval() -> None:
    """ANALYTICS_FLUSH_SECONDS bounds how long an event waits."""
    store = Store()
    async with _running(store, analytics_flush_seconds=0.05):
        track_event(7, "login", {"outcome": "success"})
        await _until("the event was stored", lambda: store.events)


@pytest.mark.req("ANA-06")
async def test_an_orderly_end_stores_what_waits() -> None:
    """Nothing is lost on shutdown, and critical events go first."""
    store = Store()
    async with _running(store):
        for number in range(250):
            track_event(number, "message_sent" if number % 2 else "payment")
    assert len(store.events) == 250
    assert [len(batch) for batch in store.batches] == [100, 100, 50]
    assert all(event.is_critical for event in store.events[:125])


@pytest.mark.req("ANA-08")
async def test_the_end_is_bounded_when_a_store_hangs() -> None:
    """ANALYTICS_SHUTDOWN_SECONDS; what couldn't be stored is counted."""
    store = Store()
    store.misbehave = lambda _events: asyncio.sleep(LONG)
    before = _value("tracked_events_dropped_total", store="postgres", reason="shutdown")
    async with asyncio.timeout(30), _running(store, analytics_shutdown_seconds=0.1, analytics_store_timeout_seconds=LONG):
        for _ in range(5):
            track_event(7, "login")
    assert _value("tracked_events_dropped_total", store="postgres", reason="shutdown") == before + 5
    assert _value("tracked_events_queue_length", store="postgres") == 0


@pytest.mark.req("ANA-08")
async def test_a_store_that_fails_gets_the_events_later(records: Records) -> None:
    """The batch is tried again, each event arrives once, and trouble is told once, not once for each try."""
    store = Store()
    tries = 0

    def fail(_events: Sequence[TrackedEvent]) -> None:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise ConnectionError("down")

    store.misbehave = fail
    before = _value("tracked_events_store_failures_total", store="postgres")
    async with _running(store, analytics_flush_seconds=0.02):
        track_event(7, "login")
        await _until("the event was stored", lambda: store.events)
    assert len(store.events) == 1
    assert _value("tracked_events_store_failures_total", store="postgres") == before + 3
    told = [record for record in records() if str(record.get("event")).startswith("tracking.")]
    assert [(record["event"], record["level"], record["component"]) for record in told] == [
        ("tracking.failing", "WARNING", "postgres"),
        ("tracking.recovered", "INFO", "postgres"),
    ]


@pytest.mark.req("ANA-08")
async def test_one_store_that_hangs_does_not_keep_the_other_waiting(tmp_path: Path) -> None:
    """Each store has a queue of its own."""
    store = Store()
    store.misbehave = lambda _events: asyncio.sleep(LONG)
    settings = {"spool_dir": tmp_path, "analytics_flush_seconds": 0.02, "analytics_shutdown_seconds": 0.1}
    async with _running(store, **settings):
        track_event(7, "login")
        await _until("the spool has it", lambda: events_in(tmp_path))


@pytest.mark.req("ANA-08")
async def test_a_store_that_is_too_slow_is_given_up_and_tried_again() -> None:
    """ANALYTICS_STORE_TIMEOUT_SECONDS."""
    store = Store()
    store.misbehave = lambda _events: asyncio.sleep(LONG if store.calls == 1 else 0)
    async with _running(store, analytics_flush_seconds=0.02, analytics_store_timeout_seconds=0.05):
        track_event(7, "login")
        await _until("the event was stored", lambda: store.events)
    assert store.calls == 2


async def test_a_refused_event_does_not_hold_up_the_others() -> None:
    """What a store will never take is found by halving and counted; everything else arrives once."""
    store = Store()

    def refuse(events: Sequence[TrackedEvent]) -> None:
        if any(event.event_type == "payment" for event in events):
            raise RejectedError

    store.misbehave = refuse
    before = _value("tracked_events_dropped_total", store="postgres", reason="rejected")
    async with _running(store):
        for number in range(50):
            track_event(7, "payment" if number in (3, 30) else "login")
    assert len({event.id for event in store.events}) == len(store.events) == 48
    assert _value("tracked_events_dropped_total", store="postgres", reason="rejected") == before + 2


async def test_trouble_while_halving_loses_and_doubles_nothing() -> None:
    """A store that goes away in the middle of it gets the rest later."""
    store = Store()

    def refuse(events: Sequence[TrackedEvent]) -> None:
        if any(event.event_type == "payment" for event in events):
            raise RejectedError
        if store.calls % 2:
            raise ConnectionError

    store.misbehave = refuse
    async with _running(store, analytics_shutdown_seconds=30):
        for number in range(20):
            track_event(7, "payment" if number == 3 else "login")
    assert len({event.id for event in store.events}) == len(store.events) == 19


@pytest.mark.req("ANA-08", "ANA-12")
def test_a_full_buffer_drops_the_least_important_first() -> None:
    """Normal events go before critical ones, the oldest first; critical ones go first to the store."""
    buffer = Buffer(3)
    events = [make_event(name) for name in ("message_sent", "payment", "message_sent", "login", "payment", "chat_start")]
    assert [buffer.put(event) for event in events] == [0, 0, 0, 1, 1, 1]
    assert buffer.take(9) == [events[1], events[3], events[4]]


@given(st.lists(st.sampled_from(["put", "take", "back"]), max_size=60), st.integers(1, 5))
def test_a_buffer_never_exceeds_its_bound_and_accounts_for_every_event(steps: list[str], most: int) -> None:
    """Put = taken + dropped + waiting, at any time."""
    buffer, put, gone = Buffer(most), 0, 0
    taken: list[TrackedEvent] = []
    event = make_event()
    for step in steps:
        if step == "put":
            put += 1
            gone += buffer.put(event)
        elif step == "take":
            taken += buffer.take(2)
        else:
            gone += buffer.put_back(taken)
            taken = []
        assert len(buffer) <= most
        assert put == gone + len(taken) + len(buffer)


@pytest.mark.req("ANA-08")
async def test_what_a_full_queue_drops_is_counted(records: Records) -> None:
    """By store and reason, and said once."""
    tracker = _tracker(analytics_queue_events=10)
    tracker.add_store("postgres", Store())
    before = _value("tracked_events_dropped_total", store="postgres", reason="queue_full")
    with context.run("test", user_id="7"):
        for _ in range(25):
            track_event(7, "message_sent")
    assert _value("tracked_events_dropped_total", store="postgres", reason="queue_full") == before + 15
    assert _value("tracked_events_queue_length", store="postgres") == 10
    (told,) = [record for record in records() if record.get("event") == "tracking.dropped"]
    assert "user_id" not in told


@pytest.mark.req("ANA-01", "ANA-08")
@given(user_id=st.from_type(object), event_type=st.sampled_from(sorted(TRACKED)) | st.text(), metadata=st.from_type(object))
def test_it_never_raises(user_id: object, event_type: str, metadata: object) -> None:
    """Whatever it is given."""
    _tracker()
    track_event(user_id, event_type, metadata)  # type: ignore[arg-type]


def test_objects_that_fail_at_everything_are_refused_and_counted() -> None:
    """A caller's broken object is not the caller's failure."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    _tracker()
    before = _value("tracked_events_refused_total", reason="internal")
    track_event(Broken(), "login")
    assert _value("tracked_events_refused_total", reason="internal") == before + 1


@pytest.mark.req("ANA-12")
def test_an_undeclared_event_is_refused_counted_and_said_once(records: Records) -> None:
    """So that a forgotten declaration is noticed and no flood follows."""
    _tracker()
    before = _value("tracked_events_refused_total", reason="unknown_type")
    for _ in range(5):
        track_event(7, "invented")
    assert _value("tracked_events_refused_total", reason="unknown_type") == before + 5
    assert len([record for record in records() if record.get("event") == "tracking.refused"]) == 1


@pytest.mark.req("ANA-09", "BIZ-06")
async def test_an_event_belongs_to_the_request_that_is_under_way() -> None:
    """Its correlation id is the request id; it is counted by type and source."""
    store = Store()
    before = _value("tracked_events_total", event_type="feed_load_failed", source="backend")
    async with _running(store):
        with context.run("test") as ident:
            track_event(None, "feed_load_failed", {"reason": "timeout", "user": "ada@example.org"})
    (event,) = store.events
    assert (event.request_id, event.user_ref, event.properties) == (ident, None, {"reason": "timeout"})
    assert _value("tracked_events_total", event_type="feed_load_failed", source="backend") == before + 1


async def test_tracking_can_be_switched_off() -> None:
    """ANALYTICS_ENABLED=false: nothing is counted or stored."""
    store = Store()
    before = _value("tracked_events_total", event_type="login", source="backend")
    async with _running(store, analytics_enabled=False):
        track_event(7, "login")
    assert store.events == []
    assert _value("tracked_events_total", event_type="login", source="backend") == before


async def test_a_spool_that_can_not_be_written_gets_the_events_later(tmp_path: Path) -> None:
    """A full disk costs waiting, not events."""
    folder = tmp_path / "spool"
    folder.write_text("in the way")
    tracker = _tracker(spool_dir=folder, analytics_flush_seconds=0.02)
    async with tracker.running():
        track_event(7, "login")
        await _until("the first try failed", lambda: _value("tracked_events_store_failures_total", store="spool"))
        folder.unlink()
        await _until("the spool has it", lambda: events_in(folder))


async def test_threads_may_track_too() -> None:
    """No event of theirs is lost or doubled."""
    store = Store()

    def work() -> None:
        for _ in range(500):
            track_event(7, "login")

    async with _running(store, analytics_flush_seconds=0.05):
        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))
        await _until("all are stored", lambda: len(store.events) == 2000)
