"""Silences in Alertmanager: exact, with an author and a reason, and never for more than a day."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from app.core.config import Settings

LONGEST_HOURS: Final = 24
TIMEOUT_SECONDS: Final = 5.0


class SilenceError(Exception):
    """Alertmanager did not take it; the text is for people."""


async def silence(settings: Settings, incident: dict[str, Any], *, author: str, reason: str, hours: float) -> str:
    """Silence the incident's alert on its service and environment; returns the silence's id. Raises SilenceError."""
    if not reason.strip():
        raise SilenceError("A silence needs a reason: what is being done, by whom, until when.")
    if not 0 < hours <= LONGEST_HOURS:
        raise SilenceError(f"A silence lasts at most {LONGEST_HOURS} hours. For longer, change the rule.")
    now = datetime.now(UTC)
    labels = [("alertname", incident["alertname"]), ("service", incident["service"]), ("env", incident["env"])]
    body = {
        "matchers": [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels if value],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=hours)).isoformat(),
        "createdBy": author,
        "comment": reason.strip()[:500],
    }
    return str((await _ask(settings, "POST", body))["silenceID"])


async def active_silences(settings: Settings) -> list[dict[str, Any]]:
    """Those in force, the next to end first; none when Alertmanager doesn't answer."""
    try:
        found: list[dict[str, Any]] = await _ask(settings, "GET", None)
    except SilenceError:
        return []
    return sorted((entry for entry in found if entry["status"]["state"] == "active"), key=lambda entry: str(entry["endsAt"]))


async def _ask(settings: Settings, method: str, body: Any) -> Any:
    address = f"{settings.alertmanager_url.rstrip('/')}/api/v2/silences"
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            answer = await client.request(method, address, json=body)
    except httpx.HTTPError:
        raise SilenceError("Alertmanager does not answer, so nothing was silenced. `nobet status` says what is wrong.") from None
    if not answer.is_success:
        raise SilenceError(f"Alertmanager refused it (status {answer.status_code}).")
    return answer.json()
