"""Slows down who guesses passwords: failed logins are counted for the account and for the address, in fixed windows.

An attempt is counted before its password is checked and given back when it was
right, so that many at once get no further than one after the other. Redis
shares the counts among workers and instances; without it, or while it is in
trouble, each worker counts for itself.
"""

import asyncio
import hashlib
import hmac
import time
from typing import Final

from redis.exceptions import RedisError

from app.clients.redis import RedisClient
from app.core.config import Settings
from app.core.security import signing_secret

LIMIT_SECONDS: Final = 0.25
"""Longer than this no login waits for Redis; the worker counts by itself then."""

MOST_REMEMBERED: Final = 10_000
"""Counters that one worker keeps without Redis; beyond it the oldest are forgotten."""


class TooManyFailuresError(Exception):
    """Too many failed logins. `seconds` says when the next try makes sense."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many failed logins")
        self.seconds: Final = seconds


class LoginLimit:
    """The counters of one process, or of all of them in Redis."""

    def __init__(self, settings: Settings, redis: RedisClient | None) -> None:
        self._limits: Final = (settings.login_failures_per_address, settings.login_failures_per_account)
        self._window: Final = settings.login_window_seconds
        self._key: Final = signing_secret(settings).encode()
        self._redis: Final = redis
        self._counts: Final[dict[str, tuple[int, float]]] = {}

    async def reserve(self, account: str, address: str) -> None:
        """Count an attempt. Raises TooManyFailuresError when one of the two has had too many."""
        for name, most in zip(self._names(account, address), self._limits, strict=True):
            count, seconds = await self._add(name, 1)
            if count > most:
                raise TooManyFailuresError(max(seconds, 1))

    async def give_back(self, account: str, address: str) -> None:
        """The attempt was no failure: forget it."""
        for name in self._names(account, address):
            await self._add(name, -1)

    def _names(self, account: str, address: str) -> tuple[str, str]:
        """Names of the counters. Keyed hashes: who reads Redis learns neither accounts nor addresses.

        The address comes first: one that has to wait can't make an account wait.
        """
        account_name, address_name = (hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32] for text in (account, address))
        return f"login:address:{address_name}", f"login:account:{account_name}"

    async def _add(self, name: str, step: int) -> tuple[int, int]:
        """The count after adding `step`, and the seconds until it starts anew."""
        if self._redis is not None:
            try:
                async with asyncio.timeout(LIMIT_SECONDS), self._redis.commands.pipeline(transaction=True) as pipeline:
                    pipeline.set(name, 0, ex=self._window, nx=True)
                    pipeline.incrby(name, step)
                    pipeline.ttl(name)
                    _, count, seconds = await pipeline.execute()
                return int(count), int(seconds)
            except (RedisError, OSError):
                pass  # the health checks say so; a login needs no Redis
        return self._add_here(name, step)

    def _add_here(self, name: str, step: int) -> tuple[int, int]:
        now = time.monotonic()
        count, end = self._counts.pop(name, (0, 0.0))
        if end <= now:
            count, end = 0, now + self._window
        while len(self._counts) >= MOST_REMEMBERED:
            del self._counts[next(iter(self._counts))]
        self._counts[name] = (count + step, end)
        return count + step, int(end - now)
