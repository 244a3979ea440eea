"""What is known about a refused token, told in one place: one record, one count, one message to the error tracker.

The endpoints call it through `app.api.deps`, WebSockets directly.
"""

from typing import Final

from app.core import context, error_tracking, metrics
from app.core.analytics import track_event
from app.core.logger import get_logger
from app.domain.sessions import SessionEndedError
from app.domain.tokens import TokenExpiredError, TokenInvalidError

log = get_logger(__name__)


class TokenMissingError(Exception):
    """No token came where one is needed."""


class NotSignedInError(Exception):
    """Answered with 401. `code` tells a client what to do: refresh or sign in."""

    def __init__(self, code: str, detail: str, *, reported: bool = False) -> None:
        super().__init__(detail)
        self.code: Final = code
        self.detail: Final = detail
        self.reported: Final = reported
        """Whether the error tracker has a message about it already."""


TokenFailure = TokenExpiredError | TokenInvalidError | TokenMissingError


def report_token_failure(error: TokenFailure, where: str) -> NotSignedInError:
    """Write down that a token was refused, and give back what to raise. `where` names the endpoint or the channel.

    An expired token is a warning that names the user; a forged one names nobody.
    A missing token is no news for the error tracker.
    """
    if isinstance(error, TokenExpiredError):
        return _expired(error, where)
    if isinstance(error, TokenInvalidError):
        return _invalid(error, where)
    metrics.counter("auth_token_errors_total").labels(reason="missing").inc()
    log.info("A request came without a token", event="token.missing", operation=where)
    return NotSignedInError("token_missing", "This needs a token. Sign in and send it as `Authorization: Bearer …`.")


def report_session_ended(error: SessionEndedError, where: str) -> NotSignedInError:
    """Write down that a token was genuine and its session is over, and give back what to raise."""
    context.bind(user_id=error.user_id)
    metrics.counter("auth_token_errors_total").labels(reason=error.reason).inc()
    if error.reason == "reused":
        log.warning("A refresh token came twice; its session was ended", event="token.reused", operation=where)
        error_tracking.capture_message("Refresh token reused", level="warning", operation=where)
    else:
        log.warning("The session of a token is over", event="token.revoked", operation=where)
    track_event(error.user_id, "session_expired", {"reason": error.reason})
    return NotSignedInError("session_ended", "This session has ended. Sign in again.", reported=error.reason == "reused")


def _expired(error: TokenExpiredError, where: str) -> NotSignedInError:
    context.bind(user_id=error.user_id)
    metrics.counter("auth_token_errors_total").labels(reason="expired").inc()
    log.warning("Token expired", event="token.expired", operation=where)
    error_tracking.capture_message("Token expired", level="warning", operation=where)
    track_event(error.user_id, "session_expired", {"reason": "expired"})
    return NotSignedInError("token_expired", "The token has expired. Refresh it or sign in again.", reported=True)


def _invalid(error: TokenInvalidError, where: str) -> NotSignedInError:
    metrics.counter("auth_token_errors_total").labels(reason="invalid").inc()
    log.warning("Token invalid", event="token.invalid", operation=where, reason=error.reason)
    error_tracking.capture_message("Token invalid", level="warning", operation=where, reason=error.reason)
    return NotSignedInError("token_invalid", "The token is not valid. Sign in again.", reported=True)
