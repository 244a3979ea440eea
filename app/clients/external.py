"""Calls to other services over HTTP: time limits, a circuit breaker, retries where they do no harm.

The request id and the trace context go along. One instance and one connection
pool per dependency and process.
"""

import asyncio
import random
from collections.abc import Awaitable
from typing import Final

import httpx

from app.clients.circuit import CircuitBreaker, CircuitOpenError
from app.core import metrics, tracing
from app.core.config import Settings
from app.core.logger import get_logger

MAX_CONNECTIONS: Final = 100
"""Requests beyond it wait, within their time limit."""

TRIES: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.05
"""The pause before the second try; the next one is twice as long. Each is drawn between half and all of it, so that callers spread out."""

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
PASSING_STATUSES: Final = frozenset({502, 503, 504})
"""Answers after which another try may succeed."""

log = get_logger(__name__)


class ExternalTimeoutError(Exception):
    """No answer within the time limit."""


class ExternalUnreachableError(Exception):
    """No connection could be had, or it broke. `code` says which, as a short name."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code


class ExternalClient:
    """Talks to one dependency.

    A call is tried again within its time limit when nothing of it was sent, and
    an idempotent one also when the connection broke or the answer was a 502, 503
    or 504. An answer with a 5xx, a time-out and a missing connection are failures
    of the dependency to the circuit; other answers are not.
    """

    def __init__(
        self, dependency: str, base_url: str, timeout_seconds: float, settings: Settings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._dependency: Final = dependency
        self._limit: Final = timeout_seconds
        self._circuit: Final = CircuitBreaker(dependency, settings.circuit_failures, settings.circuit_open_seconds)
        self._requests: Final = metrics.counter("external_requests_total")
        self._retries: Final = metrics.counter("external_retries_total").labels(dependency=dependency)
        self._dice: Final = random.Random()  # noqa: S311 - chance, not secrecy
        self._http: Final = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_seconds),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            transport=transport,
            trust_env=False,
        )

    async def request(self, method: str, path: str, body: dict[str, object] | None = None, *, probe: bool = False) -> httpx.Response:
        """The answer, whatever its status. `probe` passes by the circuit and is tried once: for health checks.

        Raises CircuitOpenError, ExternalTimeoutError or ExternalUnreachableError.
        """
        if probe:
            return await self._within_limit(self._once(method, path, body))
        try:
            self._circuit.enter()
        except CircuitOpenError:
            self._count("refused")
            raise
        try:
            response = await self._within_limit(self._tried_again(method, path, body))
        except ExternalTimeoutError:
            self._circuit.failed()
            self._count("timeout")
            raise
        except ExternalUnreachableError:
            self._circuit.failed()
            self._count("unreachable")
            raise
        except BaseException:
            self._circuit.given_up()
            raise
        if response.status_code >= 500:
            self._circuit.failed()
        else:
            self._circuit.succeeded()
        self._count("success" if response.status_code < 400 else "failure")
        return response

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def _within_limit(self, call: Awaitable[httpx.Response]) -> httpx.Response:
        # The library's limit is per read; a service that trickles would pass it for ever.
        try:
            async with asyncio.timeout(self._limit):
                return await call
        except TimeoutError as error:
            raise ExternalTimeoutError from error

    async def _tried_again(self, method: str, path: str, body: dict[str, object] | None) -> httpx.Response:
        for attempt in range(1, TRIES):
            try:
                response = await self._once(method, path, body)
            except ExternalUnreachableError as error:
                if method not in IDEMPOTENT and error.code == "broken":
                    raise
                reason = error.code
            else:
                if method not in IDEMPOTENT or response.status_code not in PASSING_STATUSES:
                    return response
                reason = f"http_{response.status_code}"
            await self._pause(attempt, reason)
        return await self._once(method, path, body)

    async def _once(self, method: str, path: str, body: dict[str, object] | None) -> httpx.Response:
        try:
            return await self._http.request(method, path, json=body, headers=tracing.outgoing_headers())
        except httpx.ConnectTimeout as error:
            raise ExternalUnreachableError("connect_timeout") from error
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout) as error:
            raise ExternalTimeoutError from error
        except httpx.ConnectError as error:
            raise ExternalUnreachableError("unreachable") from error
        except httpx.TransportError as error:
            raise ExternalUnreachableError("broken") from error

    async def _pause(self, attempt: int, reason: str) -> None:
        self._retries.inc()
        log.info(
            f"{self._dependency} is asked again", event="external.retried", component=self._dependency, attempt=attempt + 1, reason=reason
        )
        await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * self._dice.uniform(0.5, 1))

    def _count(self, outcome: str) -> None:
        self._requests.labels(dependency=self._dependency, outcome=outcome).inc()
