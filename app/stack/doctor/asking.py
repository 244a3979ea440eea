"""Asks servers over HTTP, and says in words for people what kept an answer away."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 5.0
"""A healthy server of the stack answers in milliseconds; a stopped process takes connections and never answers."""

Auth = tuple[str, str]


class NoAnswerError(Exception):
    """No usable answer came. The text is a clause; `status` is the HTTP status, 0 without one; `absent` says that nothing listens."""

    def __init__(self, reason: str, status: int = 0, *, absent: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.absent = absent


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    body: Any = None,
    seconds: float = TIMEOUT_SECONDS,
) -> httpx.Response:
    """The answer, whatever its status. Raises NoAnswerError when none came."""
    try:
        return httpx.request(method, url, headers=headers, auth=auth, json=body, timeout=seconds, trust_env=False)
    except httpx.ConnectError:
        raise NoAnswerError(f"nothing listens at {url.split('?')[0]}", absent=True) from None
    except httpx.TimeoutException:
        raise NoAnswerError(f"the server at {url.split('?')[0]} takes connections and did not answer in {seconds:.0f} s") from None
    except httpx.HTTPError as error:
        raise NoAnswerError(f"the server at {url.split('?')[0]} broke the connection ({type(error).__name__})") from None


def ask_json(url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, auth: Auth | None = None, body: Any = None) -> Any:
    """The JSON of a successful answer. Raises NoAnswerError for anything else."""
    answer = ask(url, method=method, headers=headers, auth=auth, body=body)
    if not answer.is_success:
        raise NoAnswerError(f"the server at {url.split('?')[0]} answered {answer.status_code}", answer.status_code)
    try:
        return answer.json()
    except ValueError:
        raise NoAnswerError(f"the server at {url.split('?')[0]} answered something that is no JSON", answer.status_code) from None


def bearer(token: str) -> dict[str, str]:
    """The header for a token; none for an empty one."""
    return {"Authorization": f"Bearer {token}"} if token else {}
