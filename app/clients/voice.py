"""The voice and suggestion service, over HTTP.

Every failure comes out as a VoiceError that says which kind it is.
"""

from typing import Final

import httpx
from pydantic import BaseModel, ValidationError

from app.clients.circuit import CircuitOpenError
from app.clients.external import ExternalClient, ExternalTimeoutError, ExternalUnreachableError
from app.core.config import Settings

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
    """No connection to it could be had, none is configured, or it is left alone for a while: `retry_after` says for how many seconds."""

    def __init__(self, message: str, code: str, retry_after: float | None = None) -> None:
        super().__init__(message, code)
        self.retry_after: Final = retry_after


class _Suggestions(BaseModel):
    suggestions: list[str]


class VoiceClient:
    """Talks to the service at VOICE_URL."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.configured: Final = bool(settings.voice_url)
        url = settings.voice_url or "http://unset.invalid"
        self._service: Final = ExternalClient("voice", url, settings.voice_timeout_seconds, settings, transport)

    async def suggest(self, user_id: str, topic: str, count: int) -> list[str]:
        """Ask for `count` suggestions. Raises VoiceAnswerError, VoiceTimeoutError or VoiceUnreachableError.

        It is a POST, so an overloaded model isn't asked again for what it refused.
        """
        response = await self._send("POST", "/suggest", {"user_id": user_id, "topic": topic, "count": count})
        if not response.is_success:
            raise VoiceAnswerError(f"The suggestion service answered with status {response.status_code}", _code_of(response))
        try:
            return _Suggestions.model_validate_json(response.content).suggestions
        except ValidationError:
            raise VoiceAnswerError("The suggestion service gave an answer that can't be read", "bad_answer") from None

    async def ping(self) -> None:
        """Raises when the service isn't alive."""
        response = await self._send("GET", "/health/live", probe=True)
        response.raise_for_status()

    async def close(self) -> None:
        """Close every connection."""
        await self._service.close()

    async def _send(self, method: str, path: str, body: dict[str, object] | None = None, *, probe: bool = False) -> httpx.Response:
        if not self.configured:
            raise VoiceUnreachableError("No suggestion service is configured", "not_configured")
        try:
            return await self._service.request(method, path, body, probe=probe)
        except ExternalTimeoutError as error:
            raise VoiceTimeoutError("The suggestion service did not answer in time", "timeout") from error
        except ExternalUnreachableError as error:
            code = "unreachable" if error.code == "broken" else error.code
            raise VoiceUnreachableError("The suggestion service can't be reached", code) from error
        except CircuitOpenError as error:
            raise VoiceUnreachableError("The suggestion service is left alone for a while", "circuit_open", error.retry_after) from error


def _code_of(response: httpx.Response) -> str:
    """The code in the answer's body, or `http_503` when it has none that can be taken over."""
    try:
        code = response.json()["code"]
    except (ValueError, KeyError, TypeError):
        code = None
    usable = isinstance(code, str) and code.isascii() and code.replace("_", "").replace("-", "").replace(".", "").isalnum()
    return str(code)[:LONGEST_CODE] if usable else f"http_{response.status_code}"
