"""What is known about a login, told in one place: one record, one count, one breadcrumb, one tracked event.

The record `user_login` is the only one with the client's address, in the form
that LOG_IP_MODE allows. It never has the name that was typed in: people type
e-mail addresses and, in the wrong box, passwords.
"""

import time
from typing import Any, Final, Literal

from starlette.requests import Request

from app.core import context, error_tracking, metrics
from app.core.analytics import track_event
from app.core.config import Settings
from app.core.logger import INFO, WARNING, get_logger
from app.core.security import address_for_login

LoginOutcome = Literal["success", "failure", "limited"]

LONGEST_AGENT: Final = 256
UNKNOWN_ADDRESS: Final = "unknown"

log = get_logger(__name__)

_MESSAGES: Final[dict[LoginOutcome, str]] = {
    "success": "Signed in",
    "failure": "Login failed",
    "limited": "Login refused after too many failures",
}


class LoginWatch:
    """One login, from its beginning to its outcome."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self.address: Final = request.client.host if request.client else UNKNOWN_ADDRESS
        self._agent: Final = request.headers.get("user-agent", "")[:LONGEST_AGENT]
        self._settings: Final = settings
        self._started: Final = time.perf_counter()

    def over(self, outcome: LoginOutcome, user_id: str | None = None, reason: str | None = None) -> None:
        """Tell how it ended. `user_id` is the account that was tried, where there is one."""
        duration_ms = round((time.perf_counter() - self._started) * 1000, 3)
        if user_id is not None:
            context.bind(user_id=user_id)
            track_event(user_id, "login", {"method": "password", "outcome": outcome, "duration_ms": duration_ms})
        level = INFO if outcome == "success" else WARNING
        metrics.counter("logins_total").labels(outcome=outcome).inc()
        error_tracking.add_breadcrumb("auth", _MESSAGES[outcome], "info" if outcome == "success" else "warning")
        if outcome == "limited":
            error_tracking.capture_message("Too many failed logins", level="warning")
        details = {"client_ip": address_for_login(self.address, self._settings), "user_agent": self._agent or None, "reason": reason}
        known: dict[str, Any] = {name: value for name, value in details.items() if value}
        log.log(level, _MESSAGES[outcome], event="user_login", outcome=outcome, duration_ms=duration_ms, **known)
