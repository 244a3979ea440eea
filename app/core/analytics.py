"""What people do with the product: `track_event`, from anywhere, at no cost to the caller.

track_event(user_id, "message_sent", {"chat_id": "7", "message_length": 42})

Promise
    The caller never waits and never gets an exception. An event is counted, cleaned
    (see `tracked_event`) and queued for each store; tasks of `running` bring it there in
    batches: to PostgreSQL (`add_store`), and through the spool and the shipper to
    Elasticsearch. What a store doesn't take waits in a bounded buffer. An orderly end
    stores what waits, for a bounded time; `kill -9` costs what has waited for less
    than ANALYTICS_FLUSH_SECONDS.

Every worker process has queues of its own; events are told apart by their ids.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from app.core import context, metrics
from app.core.analytics_lane import Lane, Store
from app.core.config import Settings, get_settings
from app.core.logger import get_logger
from app.core.pseudonyms import Pseudonyms
from app.core.spool import EVENTS_STREAM
from app.core.spool_bound import open_spool
from app.core.telemetry.tracked import TRACKED
from app.core.tracked_event import EventMaker, TrackedEvent

log = get_logger(__name__)


class Tracker:
    """The tracking of one process."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._enabled = settings.analytics_enabled
        self._maker = EventMaker(settings.service_name or service, Pseudonyms(settings), settings.analytics_max_event_bytes)
        self._lanes: list[Lane] = []
        self._unknown: set[str] = set()
        self._total = metrics.counter("tracked_events_total")
        self._refused = metrics.counter("tracked_events_refused_total")
        self._removed = metrics.counter("tracked_properties_removed_total")
        self._spool = open_spool(settings, settings.service_name or service, EVENTS_STREAM) if self._enabled else None
        if self._spool is not None:
            self.add_store("spool", self._to_spool)

    def add_store(self, name: str, store: Store) -> None:
        """Bring every later event to this store too. `name` is a value of the label `store`."""
        if self._enabled:
            self._lanes.append(Lane(name, store, self._settings))

    def track(
        self,
        user_id: object,
        event_type: str,
        properties: object = None,
        *,
        ident: str | None = None,
        time: dt.datetime | None = None,
        source: str = "backend",
        request_id: str | None = None,
    ) -> None:
        """Count, clean and queue an event. What isn't given is made here: id, time, and the request id of the present context."""
        if not self._enabled:
            return
        if event_type not in TRACKED:
            self._refuse_unknown(event_type)
            return
        if not isinstance(properties, Mapping):
            if properties is not None:
                self._removed.labels("wrong_type").inc()
            properties = {}
        event, removed = self._maker.make(
            ident or context.new_id(),
            user_id,
            event_type,
            properties,
            time=time or dt.datetime.now(dt.UTC),
            source=source,
            request_id=request_id or context.request_id(),
        )
        for reason, count in removed.items():
            self._removed.labels(reason).inc(count)
        self._total.labels(event_type, source).inc()
        for lane in self._lanes:
            lane.put(event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Store events for as long as the block lasts, and what is left at its end, for ANALYTICS_SHUTDOWN_SECONDS."""
        with context.run("analytics"):
            tasks = [asyncio.create_task(lane.run(), name=f"analytics-{lane.name}") for lane in self._lanes]
        try:
            yield
        finally:
            for lane in self._lanes:
                lane.stop()
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=self._settings.analytics_shutdown_seconds)
                for task in late:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for lane in self._lanes:
                lane.give_up()
            if self._spool is not None:
                self._spool.close()

    async def _to_spool(self, events: Sequence[TrackedEvent]) -> None:
        """One write for the whole batch. Raises OSError when the spool can't be written."""
        assert self._spool is not None  # noqa: S101 - the lane exists only with a spool
        if not await asyncio.to_thread(self._spool.append, b"".join(event.line for event in events), len(events)):
            raise OSError("The spool can't be written")

    def _refuse_unknown(self, event_type: str) -> None:
        self._refused.labels("unknown_type").inc()
        if event_type not in self._unknown and len(self._unknown) < _UNKNOWN_REMEMBERED:
            self._unknown.add(event_type)
            log.warning(
                "An event is tracked that is not declared in app/core/telemetry/tracked.py", event="tracking.refused", reason="unknown_type"
            )


_UNKNOWN_REMEMBERED = 100
_tracker: Tracker | None = None


def setup(settings: Settings, service: str) -> Tracker:
    """Make the tracker of this process. Calling it again starts afresh with the new settings."""
    global _tracker
    _tracker = Tracker(settings, service)
    return _tracker


def tracker() -> Tracker:
    """The tracker of this process; one with the process's own settings where none was made."""
    return _tracker or setup(get_settings(), "app")


def track_event(user_id: object, event_type: str, metadata: Mapping[str, Any] | None = None) -> None:
    """Remember that a user did something. `event_type` and the keys of `metadata` are declared in `app.core.telemetry.tracked`.

    Neither waits nor raises, whatever it is given. `user_id` is stored as a pseudonym; None is nobody.
    """
    try:
        tracker().track(user_id, event_type, metadata)
    except Exception:  # noqa: BLE001 (a caller's work must not fail for the sake of statistics)
        with suppress(Exception):
            metrics.counter("tracked_events_refused_total").labels("internal").inc()
