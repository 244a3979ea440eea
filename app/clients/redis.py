"""Redis, when REDIS_URL is set: one pool of connections per process."""

from typing import Final

from redis.asyncio import Redis

from app.core.config import Settings

TIMEOUT_SECONDS: Final = 1.0
"""For opening a connection and for each answer. Redis answers in well under a millisecond or is in trouble."""

IDLE_CHECK_SECONDS: Final = 15
"""A connection that was idle for so long is tried before it is used again."""


class RedisClient:
    """Reconnects by itself; a failing command is tried again as the library's default policy says."""

    def __init__(self, url: str) -> None:
        self.commands: Final[Redis] = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            health_check_interval=IDLE_CHECK_SECONDS,
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> "RedisClient | None":
        """The client, or None when no Redis is configured."""
        url = settings.redis_url.get_secret_value()
        return cls(url) if url else None

    async def ping(self) -> None:
        """Raises when Redis doesn't answer."""
        await self.commands.ping()

    async def close(self) -> None:
        """Close every connection."""
        await self.commands.aclose()
