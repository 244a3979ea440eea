"""The rate limit in the process, and what it does when Redis is away. With Redis: tests/integration/app."""

import pytest

from app.clients import limits
from app.clients.limits import RateLimiter
from app.clients.redis import RedisClient
from app.core.config import Settings
from tests.support.clock import Clock

pytestmark = pytest.mark.anyio


async def test_a_caller_has_its_number_of_requests_a_minute(settings: Settings) -> None:
    """Three pass, the fourth is told how long to wait; another caller and the next minute are free."""
    clock = Clock(6000)
    limiter = RateLimiter(None, settings, clock)
    clock.now += 12.5
    assert [(await limiter.take("a")).allowed for _ in range(3)] == [True] * 3
    refused = await limiter.take("a")
    assert (refused.allowed, refused.retry_after) == (False, 48)
    assert (await limiter.take("b")).allowed
    clock.now += refused.retry_after
    assert (await limiter.take("a")).allowed


async def test_memory_is_bounded_however_many_callers_there_are(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the counting begins anew."""
    monkeypatch.setattr(limits, "MOST_CALLERS", 10)
    limiter = RateLimiter(None, settings, Clock(6000))
    for number in range(100):
        assert (await limiter.take(str(number))).allowed
    assert len(limiter._counts) <= 10


async def test_without_redis_the_process_counts(settings: Settings) -> None:
    """A Redis that isn't there refuses nobody and lets nobody off."""
    redis = RedisClient("redis://127.0.0.1:1/0")
    limiter = RateLimiter(redis, settings, Clock(6000))
    assert [(await limiter.take("a")).allowed for _ in range(5)] == [True, True, True, False, False]
    await redis.close()
