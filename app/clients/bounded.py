"""A question to Redis that costs a request little, whatever has become of Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.exceptions import RedisError

from app.clients.circuit import CircuitBreaker, CircuitOpenError
from app.core.config import Settings

Answer = TypeVar("Answer")


class BoundedCalls:
    """Calls that end in time, or are not made while Redis keeps failing: `purpose` has a circuit of its own."""

    def __init__(
        self, purpose: str, settings: Settings, seconds: float, on_failure: Callable[[Exception], None] = lambda _error: None
    ) -> None:
        """`seconds` is the longest that a call may take; `on_failure` is told of each that failed."""
        self._circuit: Final = CircuitBreaker(purpose, settings.circuit_failures, settings.circuit_open_seconds)
        self._seconds: Final = seconds
        self._on_failure: Final = on_failure

    async def ask(self, command: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The answer, or None when there is none in time or Redis is left alone."""
        try:
            self._circuit.enter()
        except CircuitOpenError:
            return None
        try:
            async with asyncio.timeout(self._seconds):
                answer = await command()
        except (RedisError, OSError) as error:
            self._circuit.failed()
            self._on_failure(error)
            return None
        except BaseException:
            self._circuit.given_up()
            raise
        self._circuit.succeeded()
        return answer
