"""Keeps floods of records out of the stores, and leaves out whole requests where a sample of them is enough.

Flood: the same record again and again is written up to a limit per window; the next of its kind after that
carries in `suppressed` how many were left out. The same means logger, level and event (or message); below
WARNING also the request, because each request has a right to its own records. Sample: of a request whose id is not
in it DEBUG and INFO are left out, in every service alike, except for its last record when it ended badly or slowly.

ERROR and above are never left out. What is left out is counted, and not counted as written.
"""

import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from app.core import context, metrics
from app.core.config import Settings
from app.core.sampling import share_of

LEFT_OUT: Final = -1
"""Judgement about a record that is not written."""

MOST_KINDS: Final = 10_000
"""Kinds of records that are counted in one window; further ones pass."""

BUSY: Final = 10
"""Below so many times the limit in one window no DEBUG or INFO record is looked at: usual work pays one addition."""

TERMINAL: Final = "http.request.completed"
_ONE_PER_REQUEST: Final = ("http.request.", "websocket.")
"""Events that tell of a request's or connection's begin and end: each is unlike every other."""

_WARNING: Final = 30
_ERROR: Final = 40

_Kind = tuple[Any, ...]
_remembered_share: Final = lru_cache(maxsize=1024)(share_of)


class FloodGate:
    """Judges each record before it is made."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._share: Final = settings.log_sample_rate
        self._slow_ms: Final = settings.log_sample_slow_ms
        self._limit: Final = settings.log_flood_limit or float("inf")
        self._busy: Final = self._limit * BUSY
        self._window: Final = settings.log_flood_window_seconds
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._since = clock()
        self._seen = 0
        self._kinds: Final[dict[_Kind, int]] = {}
        self._owed: Final[dict[_Kind, int]] = {}
        suppressed = metrics.counter("log_records_suppressed_total")
        self._flood: Final = suppressed.labels(reason="flood")
        self._sampled: Final = suppressed.labels(reason="sampled")

    def judge(self, level: int, logger: str, message: str, fields: Mapping[str, Any]) -> int:
        """How many of this kind were left out since the last that was written, or LEFT_OUT."""
        if level >= _ERROR:
            return 0
        if level < _WARNING:
            if self._share < 1 and self._is_out_of_sample(fields):
                self._sampled.inc()
                return LEFT_OUT
            self._seen += 1
            if self._seen <= self._busy and not self._owed:
                return 0
        return self._count(level, logger, message, fields)

    @property
    def keeps_all_requests(self) -> bool:
        """Whether no request is out of the sample. The ends of requests, which know no limit, need no judgement then."""
        return self._share >= 1

    def _is_out_of_sample(self, fields: Mapping[str, Any]) -> bool:
        known = context.current()
        ident = known.get("request_id")
        if ident is None or "method" not in known or _remembered_share(ident) < self._share:
            return False
        return fields.get("event") != TERMINAL or (fields["status_code"] < 400 and fields["duration_ms"] < self._slow_ms)

    def _count(self, level: int, logger: str, message: str, fields: Mapping[str, Any]) -> int:
        what = fields.get("event") or message
        if type(what) is not str or what.startswith(_ONE_PER_REQUEST):
            return 0
        kind = (logger, level, what)
        with self._lock:
            now = self._clock()
            if now - self._since >= self._window:
                self._begin_window(now)
            if level >= _WARNING or self._seen > self._busy:
                key = kind if level >= _WARNING else (*kind, context.request_id())
                number = self._kinds.get(key, 0) + 1
                if number > 1 or len(self._kinds) < MOST_KINDS:
                    self._kinds[key] = number
                if number > self._limit:
                    self._flood.inc()
                    return LEFT_OUT
            return self._owed.pop(kind, 0)

    def _begin_window(self, now: float) -> None:
        for key, number in self._kinds.items():
            if number > self._limit:
                self._owed[key[:3]] = self._owed.get(key[:3], 0) + number - int(self._limit)
        self._kinds.clear()
        self._since, self._seen = now, 1
