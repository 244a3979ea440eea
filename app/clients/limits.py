"""How many requests one caller may send in a minute: counted in Redis for all workers together, in the process where there is none."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.clients.bounded import BoundedCalls
from app.clients.redis import RedisClient
from app.core import metrics
from app.core.config import Settings
from app.core.logger import get_logger

WINDOW_SECONDS: Final = 60
LIMIT_SECONDS: Final = 0.25
"""Longer than this no request waits for Redis; the process counts by itself then."""

MOST_CALLERS: Final = 100_000
"""Callers that a process counts in one window. When there are more, all begin again: memory is bounded, and nobody is refused in error."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a request may be served; if not, in how many whole seconds the caller may try again."""

    allowed: bool
    retry_after: int = 0


class RateLimiter:
    """Counts in windows of a minute that begin on the full minute. Off when RATE_LIMIT_PER_MINUTE is 0."""

    def __init__(self, redis: RedisClient | None, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.limit: Final = settings.rate_limit_per_minute
        self._redis: Final = redis
        self._clock: Final = clock
        self._window = 0
        self._counts: dict[str, int] = {}
        self._calls: Final = BoundedCalls("limits", settings, LIMIT_SECONDS, self._tell)
        self._checked: Final = metrics.counter("rate_limit_checks_total")

    async def take(self, caller: str) -> Allowance:
        """Count one request of a caller."""
        now = self._clock()
        window = int(now // WINDOW_SECONDS)
        used = await self._shared(caller, window)
        if used is None:
            used = self._own(caller, window)
        if used <= self.limit:
            self._checked.labels(outcome="allowed").inc()
            return Allowance(allowed=True)
        self._checked.labels(outcome="refused").inc()
        if used == self.limit + 1:  # the first one tells; the rest of the flood is in the counter
            log.warning("A caller sends too many requests", event="rate_limit.exceeded", count=self.limit)
        return Allowance(allowed=False, retry_after=max(1, math.ceil((window + 1) * WINDOW_SECONDS - now)))

    async def _shared(self, caller: str, window: int) -> int | None:
        """The count of all workers; None when Redis isn't there or doesn't answer."""
        if self._redis is None:
            return None
        key = f"nobet:limit:{window}:{caller}"
        pipeline = self._redis.commands.pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.expire(key, 2 * WINDOW_SECONDS)
        answer = await self._calls.ask(pipeline.execute)
        return None if answer is None else int(answer[0])

    def _tell(self, error: Exception) -> None:
        self._checked.labels(outcome="error").inc()
        log.warning("Requests can't be counted together", event="cache.failed", component="redis", error_type=type(error).__name__)

    def _own(self, caller: str, window: int) -> int:
        if window != self._window or len(self._counts) >= MOST_CALLERS:
            self._window, self._counts = window, {}
        used = self._counts[caller] = self._counts.get(caller, 0) + 1
        return used
