"""A small cache of the feed's pages in Redis, when there is one: quicker when it works, never missed when it doesn't.

One round trip gives the page and the version of the feed; a page of another
version is of no use. A write raises the version after its commit, so a reader
that was under way with the older posts leaves them under the older version.
"""

from dataclasses import dataclass
from typing import Final

from app.clients.bounded import BoundedCalls
from app.clients.redis import RedisClient
from app.core import metrics
from app.core.config import Settings
from app.core.logger import get_logger

LIMIT_SECONDS: Final = 0.25
"""A cache that takes longer is no help; the database answers in less."""

VERSION_KEY: Final = "nobet:feed:version"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The page, or None and the version under which to `store` it; no version when there is no cache to store it in."""

    page: bytes | None = None
    version: bytes | None = None


class FeedCache:
    """The pages of the feed. Without Redis, or with FEED_CACHE_SECONDS at 0, nothing is kept and nothing counted."""

    def __init__(self, redis: RedisClient | None, settings: Settings) -> None:
        self._redis: Final = redis if settings.feed_cache_seconds else None
        self._milliseconds: Final = int(settings.feed_cache_seconds * 1000)
        self._calls: Final = BoundedCalls("cache", settings, LIMIT_SECONDS, self._tell)
        self._lookups: Final = metrics.counter("cache_lookups_total")

    async def look_up(self, key: str) -> Lookup:
        """The page of that key, if it is there and of the present version."""
        if self._redis is None:
            return Lookup()
        commands = self._redis.commands
        found = await self._calls.ask(lambda: commands.mget(VERSION_KEY, f"nobet:feed:{key}"))
        if found is None:
            self._count("error")
            return Lookup()
        version, kept = (bytes(value) if isinstance(value, bytes) else b"" for value in found)
        stored, _, page = kept.partition(b"\n")
        if page and stored == version:
            self._count("hit")
            return Lookup(page, version)
        self._count("miss")
        return Lookup(None, version)

    async def store(self, key: str, lookup: Lookup, page: bytes) -> None:
        """Keep a page that was read after `lookup`, for FEED_CACHE_SECONDS."""
        if self._redis is not None and lookup.version is not None:
            commands, value = self._redis.commands, lookup.version + b"\n" + page
            await self._calls.ask(lambda: commands.set(f"nobet:feed:{key}", value, px=self._milliseconds))

    async def invalidate(self) -> None:
        """Forget all pages, because a write was committed. Where Redis can't be told, they go when their time is over."""
        if self._redis is None:
            return
        commands = self._redis.commands
        if await self._calls.ask(lambda: commands.incr(VERSION_KEY)) is None:
            self._count("error")

    @staticmethod
    def _tell(error: Exception) -> None:
        log.warning("The cache does not answer", event="cache.failed", component="redis", error_type=type(error).__name__)

    def _count(self, outcome: str) -> None:
        self._lookups.labels(outcome=outcome).inc()
