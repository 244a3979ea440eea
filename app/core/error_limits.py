"""Which error events are sent: all that are critical, and of the rest what sampling, rate limits and quota allow.

What is left out is counted, and the next event of the same kind says how many there were.
"""

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from app.core import metrics
from app.core.config import Settings
from app.core.error_quota import MonthlyQuota
from app.core.sampling import share_of

MOST_KINDS: Final = 1000
"""Fingerprints that are remembered; beyond it the one not seen for longest is forgotten, and counts anew."""

_MINUTE: Final = 60.0


class TokenBucket:
    """Lets `per_minute` pass in a minute, all at once if need be. 0 lets everything pass."""

    __slots__ = ("_per_minute", "_since", "_tokens")

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_minute = per_minute
        self._tokens = float(per_minute)
        self._since = now

    def has_room(self, now: float) -> bool:
        """Whether one may pass now."""
        if not self._per_minute:
            return True
        self._tokens = min(self._per_minute, self._tokens + (now - self._since) * self._per_minute / _MINUTE)
        self._since = now
        return self._tokens >= 1

    def take(self) -> None:
        """Let one pass."""
        self._tokens -= 1


class _Kind:
    """Events of one fingerprint."""

    __slots__ = ("bucket", "left_out")

    def __init__(self, bucket: TokenBucket) -> None:
        self.bucket = bucket
        self.left_out = 0


class Gate:
    """Decides about each event before anything is spent on making it. Safe to use from several threads."""

    def __init__(self, settings: Settings, quota: MonthlyQuota, clock: Callable[[], float] = time.monotonic) -> None:
        self._share: Final = settings.sentry_sample_rate
        self._always: Final = frozenset(name.lower() for name in settings.sentry_always_send)
        self._per_kind: Final = settings.sentry_events_per_minute_of_a_kind
        self._clock: Final = clock
        self._quota: Final = quota
        self._overall: Final = TokenBucket(settings.sentry_events_per_minute, clock())
        self._kinds: Final[OrderedDict[str, _Kind]] = OrderedDict()
        self._lock: Final = threading.Lock()
        self._suppressed: Final = metrics.counter("error_events_suppressed_total")

    def is_critical(self, *names: str | None) -> bool:
        """Whether one of an event's level, category, transaction type or exception class is always sent."""
        return any(name is not None and name.lower() in self._always for name in names)

    def admit(self, fingerprint: str, request_id: str | None, *, critical: bool) -> int | None:
        """How many of this kind were left out since the last that was sent; None when this one is left out too."""
        with self._lock:
            kind = self._kind(fingerprint)
            reason = "" if critical else self._refusal(kind, request_id)
            if reason:
                kind.left_out += 1
                self._suppressed.labels(reason=reason).inc()
                return None
            left_out, kind.left_out = kind.left_out, 0
            return left_out

    def _refusal(self, kind: _Kind, request_id: str | None) -> str:
        now = self._clock()
        if self._quota.exhausted:
            return "quota"
        if self._share < 1 and (share_of(request_id) if request_id else random.random()) >= self._share:  # noqa: S311 (a sample)
            return "sampled"
        if not kind.bucket.has_room(now):
            return "repeated"
        if not self._overall.has_room(now):
            return "flood"
        kind.bucket.take()
        self._overall.take()
        return ""

    def _kind(self, fingerprint: str) -> _Kind:
        found = self._kinds.get(fingerprint)
        if found is None:
            found = self._kinds[fingerprint] = _Kind(TokenBucket(self._per_kind, self._clock()))
            if len(self._kinds) > MOST_KINDS:
                self._kinds.popitem(last=False)
        else:
            self._kinds.move_to_end(fingerprint)
        return found
