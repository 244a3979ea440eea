"""A canary for the logs: a record that our own logger writes, looked for in Elasticsearch until it is found.

It goes the whole way of every record: logger, spool, shipper, index, search. So
it also tells when the shipper is dead, stands still, or delivers into nowhere,
without asking the shipper. It is written whatever LOG_LEVEL says.

Each canary is waited for until MOST_WAITING younger ones wait as well; then it
counts as missing. One that comes later than that is still delivered, and nobody
is told.
"""

import datetime as dt
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from app.core import context, metrics
from app.core.index_store import StoreError
from app.core.logger import get_logger

LOOK_SECONDS: Final = 0.5
"""Pause between two looks while a canary is waited for."""

TROUBLE_SECONDS: Final = 5.0
"""Pause after a look that could not be made."""

MOST_WAITING: Final = 40
"""20 minutes of canaries in the usual pause: twice as long as the alert waits."""

EVENT: Final = "canary.written"
COMPONENT: Final = "canary"

log = get_logger(__name__)


class CanarySearch(Protocol):
    """Looks for canaries where people look for records. Methods raise StoreError."""

    def found(self, idents: Collection[str]) -> set[str]:
        """Those of the ids under which a canary can be found."""

    def newest(self) -> dt.datetime | None:
        """When the newest canary of all was written; None when there is none."""


@dataclass(frozen=True, slots=True)
class _Canary:
    ident: str
    written_at: float


class LogCanary:
    """Writes canaries and looks for them."""

    def __init__(self, search: CanarySearch, seconds: float, clock: Callable[[], float] = time.time) -> None:
        """`seconds` lie between two canaries; `clock` gives Unix seconds."""
        self._search: Final = search
        self._seconds: Final = seconds
        self._clock: Final = clock
        self._waiting: Final[deque[_Canary]] = deque()
        self._next = 0.0
        self._not_before = 0.0
        self._remembers = False
        self._records: Final = metrics.counter("canary_records_total")
        self._delay: Final = metrics.histogram("canary_delay_seconds")
        self._last_found: Final = metrics.gauge("canary_last_found_timestamp_seconds")
        self._newest = 0.0
        logging.getLogger(__name__).setLevel(logging.INFO)

    def run(self, stop: threading.Event) -> None:
        """Go on until told to stop."""
        while not stop.is_set():
            try:
                self.step()
            except Exception:
                log.exception("The canary has a fault", event="error.raised")
                self._not_before = self._clock() + TROUBLE_SECONDS
            stop.wait(LOOK_SECONDS)

    def step(self) -> None:
        """Write a canary when it is time to, and look for those that are on their way."""
        now = self._clock()
        if now >= self._next:
            self._write(now)
        if now < self._not_before:
            return
        try:
            if not self._remembers:
                self._remember()
            if self._waiting:
                self._look()
        except StoreError as error:
            # Elasticsearch has an alert of its own; that the canary isn't found has one, too.
            log.debug("Canaries can't be looked for", event="canary.unknown", error_message=str(error))
            self._not_before = self._clock() + TROUBLE_SECONDS

    def _write(self, now: float) -> None:
        self._next = now + self._seconds
        with context.run(COMPONENT) as ident:
            log.info("A canary on its way to Elasticsearch", event=EVENT)
        self._records.labels("written").inc()
        self._waiting.append(_Canary(ident, now))
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self._records.labels("missing").inc()

    def _look(self) -> None:
        found = self._search.found([canary.ident for canary in self._waiting])
        now = self._clock()
        for canary in [canary for canary in self._waiting if canary.ident in found]:
            self._waiting.remove(canary)
            self._records.labels("found").inc()
            self._delay.observe(max(0.0, now - canary.written_at))
            self._show(canary.written_at)

    def _remember(self) -> None:
        """What was found before this process began, so that a restart does not hide how old the last one is."""
        newest = self._search.newest()
        self._remembers = True
        if newest is not None:
            self._show(newest.timestamp())

    def _show(self, written_at: float) -> None:
        self._newest = max(self._newest, written_at)
        self._last_found.set(self._newest)
