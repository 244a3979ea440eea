"""The way of tracked events to one store: a bounded buffer, and a task that empties it in batches.

A store that fails or is slow makes the buffer grow to its bound, and nothing
else: the least important and oldest events go then, counted. Each store has a
lane of its own, so that one that is away doesn't keep the others waiting.
"""

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from app.core import context, metrics
from app.core.config import Settings
from app.core.logger import get_logger
from app.core.tracked_event import TrackedEvent

Store = Callable[[Sequence[TrackedEvent]], Awaitable[None]]
"""Stores a batch. Raises RejectedError when it will never take it, anything else when it may later."""

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 30.0
LAST_PAUSE: Final = 0.2
"""Seconds between tries, growing; the last one while the process ends."""

QUIET_SECONDS: Final = 30.0
"""Trouble is logged at once, and then at most this often."""

log = get_logger(__name__)


class RejectedError(Exception):
    """The store refuses these events for what is in them; sending them again is useless."""


class Buffer:
    """Events that wait, critical ones first. Thread-safe; never longer than its bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._critical: deque[TrackedEvent] = deque()
        self._normal: deque[TrackedEvent] = deque()

    def __len__(self) -> int:
        return len(self._critical) + len(self._normal)

    def put(self, event: TrackedEvent) -> int:
        """Add an event. Returns how many had to go for it: the oldest of the normal ones, else of the critical ones."""
        with self._lock:
            (self._critical if event.is_critical else self._normal).append(event)
            return self._trim()

    def take(self, most: int) -> list[TrackedEvent]:
        """Remove and return the first events."""
        with self._lock:
            return [(self._critical or self._normal).popleft() for _ in range(min(most, len(self)))]

    def put_back(self, events: Sequence[TrackedEvent]) -> int:
        """Return what was taken to its place. Returns how many had to go."""
        with self._lock:
            for event in reversed(events):
                (self._critical if event.is_critical else self._normal).appendleft(event)
            return self._trim()

    def _trim(self) -> int:
        excess = max(0, len(self) - self._most)
        for _ in range(excess):
            (self._normal or self._critical).popleft()
        return excess


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


class Lane:
    """Brings events to one store."""

    def __init__(self, name: str, store: Store, settings: Settings) -> None:
        """`name` is the label `store` of the metrics."""
        self.name: Final = name
        self._store = store
        self._batch = settings.analytics_batch_events
        self._interval = settings.analytics_flush_seconds
        self._timeout = settings.analytics_store_timeout_seconds
        self._buffer = Buffer(settings.analytics_queue_events)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._failures = 0
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}
        self._length = metrics.gauge("tracked_events_queue_length").labels(name)
        self._stored = metrics.counter("tracked_events_stored_total").labels(name)
        self._failed = metrics.counter("tracked_events_store_failures_total").labels(name)
        self._duration = metrics.histogram("tracked_events_batch_duration_seconds").labels(name)

    def put(self, event: TrackedEvent) -> None:
        """Queue an event. Neither waits nor raises; from any thread."""
        self._dropped(self._buffer.put(event), "queue_full")
        waiting = len(self._buffer)
        self._length.set(waiting)
        if waiting >= self._batch and self._loop is not None and not self._wake.is_set():
            with suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Store what comes, until `stop`; then what is left."""
        self._loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            if len(self._buffer) < self._batch:
                await _wait(self._wake, self._interval)
            self._wake.clear()
            await self._empty()
        await self._empty()

    def stop(self) -> None:
        """Ask `run` to store what is left and to end."""
        self._stop.set()
        self._wake.set()

    def give_up(self) -> None:
        """Count what is left as lost."""
        self._dropped(len(self._buffer.take(len(self._buffer))), "shutdown")
        self._length.set(0)

    async def _empty(self) -> None:
        while batch := self._buffer.take(self._batch):
            try:
                await self._settle(batch)
            except Exception as error:  # noqa: BLE001 (whatever a store fails with, it is tried again)
                self._trouble(error)
                await self._pause()
            else:
                self._recovered()
            self._length.set(len(self._buffer))

    async def _settle(self, batch: Sequence[TrackedEvent]) -> None:
        """Store a batch; of one that is refused only the events that are to blame are given up. What fails otherwise waits again."""
        try:
            await self._bring(batch)
        except RejectedError:
            if len(batch) == 1:
                self._dropped(1, "rejected")
                return
            middle = len(batch) // 2
            parts = [batch[middle:], batch[:middle]]
            while parts:
                try:
                    await self._settle(parts.pop())
                except BaseException:
                    for part in parts:
                        self._dropped(self._buffer.put_back(part), "queue_full")
                    raise
        except BaseException:
            self._dropped(self._buffer.put_back(batch), "queue_full")
            raise

    async def _bring(self, batch: Sequence[TrackedEvent]) -> None:
        started = time.perf_counter()
        try:
            await asyncio.wait_for(self._store(batch), self._timeout)
        finally:
            self._duration.observe(time.perf_counter() - started)
        self._stored.inc(len(batch))

    async def _pause(self) -> None:
        """Wait before the next try: longer each time, but never long while the process ends."""
        if self._stop.is_set():
            await asyncio.sleep(LAST_PAUSE)
            return
        bound = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 30))
        await _wait(self._stop, random.uniform(bound / 2, bound))  # noqa: S311 (jitter, no secret)

    def _trouble(self, error: Exception) -> None:
        self._failures += 1
        self._failed.inc()
        reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
        self._say("failing", "Tracked events can't be stored; they wait and are tried again", reason=reason)

    def _recovered(self) -> None:
        if self._failures:
            self._failures = 0
            with context.run("analytics"):
                log.info("Tracked events are stored again", event="tracking.recovered", component=self.name)

    def _dropped(self, count: int, reason: str) -> None:
        if count:
            metrics.counter("tracked_events_dropped_total").labels(self.name, reason).inc(count)
            self._say("dropped", "Tracked events were dropped", count, reason=reason)

    def _say(self, kind: str, message: str, count: int = 1, *, reason: str) -> None:
        key = f"{kind}.{reason}"
        self._unsaid[key] = self._unsaid.get(key, 0) + count
        now = time.monotonic()
        if now - self._said.get(key, -QUIET_SECONDS) < QUIET_SECONDS:
            return
        self._said[key] = now
        event = "tracking.failing" if kind == "failing" else "tracking.dropped"
        with context.run("analytics"):  # not about the request that happened to be under way
            log.warning(message, event=event, component=self.name, reason=reason, count=self._unsaid.pop(key))
