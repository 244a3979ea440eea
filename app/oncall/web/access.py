"""Who may do what: the bearer token of scripts, the session of people, the signature of Slack."""

import base64
import hashlib
import hmac
import time
from collections import deque
from typing import Final

from fastapi import HTTPException, Request, status
from pydantic import SecretStr

from app.core import metrics
from app.core.logger import get_logger
from app.core.security import bearer_matches
from app.oncall.service import Service

COOKIE: Final = "nobet_oncall"
SESSION_SECONDS: Final = 12 * 3600
"""A shift."""

MOST_FAILURES: Final = 10
FAILURE_SECONDS: Final = 60.0
"""So many wrong passwords in a minute, from whomever, close the door for the rest of it."""

SLACK_SECONDS: Final = 300
"""Slack's own advice: an older signed request may be a recording."""

log = get_logger(__name__)


def service_of(request: Request) -> Service:
    """The running service."""
    found: Service = request.app.state.service
    return found


def refuse(reason: str, detail: str, code: int = status.HTTP_401_UNAUTHORIZED, headers: dict[str, str] | None = None) -> HTTPException:
    """A refusal, audited in the log and counted."""
    metrics.counter("oncall_refused_total").labels(reason=reason).inc()
    log.warning("A request was refused", event="oncall.refused", reason=reason)
    return HTTPException(code, detail, headers)


async def only_with_token(request: Request) -> None:
    """ONCALL_TOKEN as bearer. Where none is set, in development only, everybody may."""
    settings = service_of(request).settings
    if settings.is_trial and not settings.oncall_token.get_secret_value():
        return
    if not bearer_matches(request.headers.get("authorization"), settings.oncall_token):
        raise refuse("token", "This needs the bearer token ONCALL_TOKEN.", headers={"WWW-Authenticate": "Bearer"})


class Doorkeeper:
    """Signs people in: the page's password, and the name under which they act."""

    def __init__(self, password: SecretStr, key: SecretStr) -> None:
        self._password: Final = password.get_secret_value().encode()
        self._key: Final = key.get_secret_value().encode()
        self._failures: Final[deque[float]] = deque(maxlen=MOST_FAILURES)

    def sign_in(self, who: str, password: str) -> str:
        """A session for a person. Raises HTTPException 401, or 429 after too many failures."""
        now = time.monotonic()
        if len(self._failures) == MOST_FAILURES and now - self._failures[0] < FAILURE_SECONDS:
            raise refuse("password", "Too many wrong passwords. Wait a minute.", 429, {"Retry-After": str(int(FAILURE_SECONDS))})
        if not self._password or not hmac.compare_digest(password.encode(), self._password):
            self._failures.append(now)
            raise refuse("password", "The password is wrong. It is ONCALL_PASSWORD in the stack's .env file.")
        body = f"{base64.urlsafe_b64encode(who.encode()).decode()}.{int(time.time()) + SESSION_SECONDS}"
        return f"{body}.{self._sign(body)}"

    def who(self, session: str | None) -> str | None:
        """The person of a session; None when it is none of ours or has expired."""
        body, _, signature = (session or "").rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        name, until = body.split(".")
        return base64.urlsafe_b64decode(name).decode() if int(until) > time.time() else None

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, b"session\0" + body.encode(), hashlib.sha256).hexdigest()


def signed_by_slack(secret: SecretStr, stamp: str, signature: str, body: bytes) -> bool:
    """Whether Slack sent this, and just now."""
    key = secret.get_secret_value().encode()
    if not key or not stamp.isdigit() or abs(time.time() - int(stamp)) > SLACK_SECONDS:
        return False
    expected = "v0=" + hmac.new(key, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())
