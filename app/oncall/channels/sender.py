"""One careful HTTP client for all channels: bounded in time and size, no redirects, failures told apart, no secret in any log."""

import logging
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Final

import httpx
import orjson

TIMEOUT_SECONDS: Final = 10.0
LONGEST_WAIT_SECONDS: Final = 600.0
"""A Retry-After beyond it is not waited for; by then somebody else should know."""

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses, and some of these are secrets
logging.getLogger("httpcore").setLevel(logging.WARNING)


class RefusedError(Exception):
    """The other side will not take it, now or later."""


class TryAgainError(Exception):
    """It may work later; `after` is when the other side asked for it, in seconds."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after: Final = after


class Sender:
    """Posts to chats and pagers."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http: Final = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False, transport=transport)

    async def post(self, url: str, body: Any, headers: dict[str, str] | None = None) -> bytes:
        """Post JSON. Raises RefusedError or TryAgainError, whose texts never contain the address or the headers."""
        try:
            answer = await self._http.post(url, content=orjson.dumps(body), headers={"Content-Type": "application/json", **(headers or {})})
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, ValueError):
            raise RefusedError("the configured address is no web address") from None
        except httpx.TimeoutException:
            raise TryAgainError("no answer in time") from None
        except httpx.TransportError as error:
            raise TryAgainError(f"not reachable ({type(error).__name__})") from None
        if answer.is_success:
            return answer.content
        if answer.is_redirect:
            raise RefusedError(f"answered with a redirect (status {answer.status_code}), which is not followed")
        if answer.status_code == 429 or answer.status_code >= 500:
            raise TryAgainError(f"answered with status {answer.status_code}", retry_after(answer.headers.get("retry-after")))
        raise RefusedError(f"answered with status {answer.status_code}")

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header, in either of its forms; None when there is none that can be read."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time()
        except ValueError:
            return None
    return min(max(0.0, seconds), LONGEST_WAIT_SECONDS) if seconds == seconds else None
