"""What the shipper says about itself: durable counts, gauges, and log records that can't feed a storm.

Its log records go into the very spool that it ships. So nothing is logged per
batch, and trouble is logged at once and then at most every QUIET_SECONDS with the
number that was left out.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from app.core import metrics
from app.core.logger import get_logger
from app.shipper.positions import PositionFile, Progress

QUIET_SECONDS: Final = 30.0

log = get_logger(__name__)


class Ledger:
    """Counts what came of the records, durably: a metric moves only after the count is on disk together with the positions.

    So no counter falls back after `kill -9`, no record is counted twice, and
    emitted = indexed + dead + dropped + backlog can be computed at any time.
    Keys are `metric` or `metric:label value`.
    """

    def __init__(self, file: PositionFile, progress: Progress) -> None:
        self._file = file
        self._saved = Counter(progress.counts)
        self._new: Counter[str] = Counter()
        self._positions = dict(progress.positions)
        for key, count in self._saved.items():
            _publish(key, count)

    def add(self, counts: Counter[str]) -> None:
        """Take counts up; they show once saved."""
        self._new.update(counts)

    @property
    def accounted(self) -> int:
        """Records that are in Elasticsearch or dead letters, saved or not."""
        names = ("shipper_records_indexed_total", "shipper_records_dead_total")
        return sum(count for counts in (self._saved, self._new) for key, count in counts.items() if key.partition(":")[0] in names)

    def save(self, positions: dict[str, int]) -> None:
        """Make positions and counts durable, then show the counts. Raises OSError and keeps everything for the next try."""
        if not self._new and positions == self._positions:
            return
        self._file.save(Progress(positions, dict(self._saved + self._new)))
        self._positions = positions
        self._saved += self._new
        for key, count in self._new.items():
            _publish(key, count)
        self._new = Counter()


def _publish(key: str, count: int) -> None:
    name, _, label = key.partition(":")
    family = metrics.counter(name)
    (family.labels(label) if label else family).inc(count)


class Reporter:
    """Rate-limited records about trouble. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._suppressed: Counter[str] = Counter()
        self._troubled = False
        self._held = False

    def retrying(self, reason: str, detail: str, attempt: int) -> None:
        """A request or an item has to be sent again."""
        self._trouble(
            "retrying",
            f"Elasticsearch did not take records ({reason}); they will be sent again",
            reason=reason,
            error_message=detail,
            attempt=attempt,
        )

    def held(self, detail: str) -> None:
        """Elasticsearch refuses our credentials or rights."""
        self._held = True
        metrics.gauge("shipper_held").set(1)
        self._trouble(
            "held",
            "Elasticsearch refuses the shipper's credentials; shipping waits until they are right",
            level="error",
            reason="auth",
            error_message=detail,
        )

    def delivering(self) -> None:
        """Elasticsearch took something: whatever trouble there was is over."""
        metrics.gauge("shipper_last_success_timestamp_seconds").set(time.time())
        if self._held:
            self._held = False
            metrics.gauge("shipper_held").set(0)
        with self._lock:
            was, self._troubled = self._troubled, False
        if was:
            log.info("Shipping goes on", event="shipper.recovered")

    def dead_letter(self, reason: str, detail: str, segment: str) -> None:
        """A record was given up."""
        self._say(
            "dead_letter",
            f"A record was refused for good ({reason}) and went to the dead-letter index",
            reason=reason,
            error_message=detail,
            segment=segment,
        )

    def corrupt(self, reason: str, segment: str) -> None:
        """Something in the spool was no record."""
        self._say("corrupt", f"A piece of the spool was no record ({reason})", reason=reason, segment=segment)

    def position_unsaved(self, error: OSError) -> None:
        """The position file could not be written."""
        self._say("position_unsaved", "Positions could not be saved; the next try follows", level="error", error_message=str(error))

    def position_rebuilt(self, detail: str) -> None:
        """Positions were lost; sending starts over."""
        log.warning(
            "Positions are unusable; segments are read from their start and duplicates refused",
            event="shipper.position_rebuilt",
            error_message=detail,
        )

    def _trouble(self, kind: str, message: str, **fields: Any) -> None:
        if self._say(kind, message, **fields):
            with self._lock:
                self._troubled = True

    def _say(self, kind: str, message: str, level: str = "warning", **fields: Any) -> bool:
        now = self._clock()
        with self._lock:
            if now - self._said.get(kind, -QUIET_SECONDS) < QUIET_SECONDS:
                self._suppressed[kind] += 1
                return False
            self._said[kind] = now
            suppressed = self._suppressed.pop(kind, 0)
        if suppressed:
            fields["suppressed"] = suppressed
        getattr(log, level)(message, event=f"shipper.{kind}", **fields)
        return True
