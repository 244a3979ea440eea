"""The voice and suggestion service, over HTTP.

One connection pool per process. The request id and the trace context go along,
so that both services' records and spans meet under one id. Every failure comes
out as a VoiceError that says which kind it is.
"""

import asyncio
from typing import Final

import httpx
from pydantic import BaseModel, ValidationError

from app.core import tracing
from app.core.config import Settings

MAX_CONNECTIONS: Final = 100
"""Requests beyond it wait, within their time limit."""

LONGEST_CODE: Final = 64
"""Characters of a foreign error code that we take over."""


class VoiceError(Exception):
    """The service didn't do what it was asked. `code` says why, in its words or in ours."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code: Final = code


class VoiceAnswerError(VoiceError):
    """It answered with an error, or with something that is no answer."""


class VoiceTimeoutError(VoiceError):
    """It didn't answer within VOICE_TIMEOUT_SECONDS."""


class VoiceUnreachableError(VoiceError):
    """No connection to it could be had, or none is configured."""


class _Suggestions(BaseModel):
    suggestions: list[str]


class VoiceClient:
    """Talks to the service at VOICE_URL."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.configured: Final = bool(settings.voice_url)
        self._limit: Final = settings.voice_timeout_seconds
        self._http: Final = httpx.AsyncClient(
            base_url=settings.voice_url or "http://unset.invalid",
            timeout=httpx.Timeout(settings.voice_timeout_seconds),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            transport=transport,
            trust_env=False,
        )

    async def suggest(self, user_id: str, topic: str, count: int) -> list[str]:
        """Ask for `count` suggestions. Raises VoiceAnswerError, VoiceTimeoutError or VoiceUnreachableError."""
        response = await self._send("POST", "/suggest", {"user_id": user_id, "topic": topic, "count": count})
        if not response.is_success:
            raise VoiceAnswerError(f"The suggestion service answered with status {response.status_code}", _code_of(response))
        try:
            return _Suggestions.model_validate_json(response.content).suggestions
        except ValidationError:
            raise VoiceAnswerError("The suggestion service gave an answer that can't be read", "bad_answer") from None

    async def ping(self) -> None:
        """Raises when the service isn't alive."""
        response = await self._send("GET", "/health/live", None)
        response.raise_for_status()

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def _send(self, method: str, path: str, body: dict[str, object] | None) -> httpx.Response:
        if not self.configured:
            raise VoiceUnreachableError("No suggestion service is configured", "not_configured")
        try:
            # The library's limit is per read; a service that trickles would pass it for ever.
            async with asyncio.timeout(self._limit):
                return await self._http.request(method, path, json=body, headers=tracing.outgoing_headers())
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout) as error:
            raise VoiceTimeoutError("The suggestion service did not answer in time", "timeout") from error
        except httpx.TransportError as error:
            code = "connect_timeout" if isinstance(error, httpx.ConnectTimeout) else "unreachable"
            raise VoiceUnreachableError("The suggestion service can't be reached", code) from error


def _code_of(response: httpx.Response) -> str:
    """The code in the answer's body, or `http_503` when it has none that can be taken over."""
    try:
        code = response.json()["code"]
    except (ValueError, KeyError, TypeError):
        code = None
    usable = isinstance(code, str) and code.isascii() and code.replace("_", "").replace("-", "").replace(".", "").isalnum()
    return str(code)[:LONGEST_CODE] if usable else f"http_{response.status_code}"
