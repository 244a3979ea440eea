"""The way of an error event: DSN → error tracker → its list of issues."""

import secrets
import time
import urllib.parse
from datetime import UTC, datetime
from typing import Final

import httpx
import orjson

from app.clients.error_tracker import ErrorTrackerError, error_events
from app.stack.choose import is_available
from app.stack.doctor.asking import TIMEOUT_SECONDS, NoAnswerError, ask
from app.stack.doctor.counters import own_samples
from app.stack.doctor.errand import PATIENCE_SECONDS, PAUSE_SECONDS
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.logs import client_settings
from app.stack.doctor.model import Finding, Scene
from app.stack.doctor.running import log_of, runs, start_again, unanswered
from app.stack.mode import Mode

MESSAGE: Final = "nobet doctor looked whether error events arrive"
"""The same words each time, so that all of them are one issue."""

_PROJECT: Final = "1"
_AROUND_SECONDS: Final = 120.0


def error_path(scene: Scene) -> list[Finding]:
    """Whether an event of our own is taken and found again; of somebody else's server only whether it answers."""
    given = scene.stack.secret("SENTRY_DSN")
    if given:
        return _elsewhere(scene, given)
    if not _is_ours(scene):
        return note("Error events are off: there is no error tracker here and no SENTRY_DSN.", "docs/error-tracking.md")
    url = scene.stack.url("error_tracker")
    try:
        ask(f"{url}/health/ready")
        status, ident = _send(scene, url)
    except NoAnswerError as error:
        return unanswered(scene, "error_tracker", "The error tracker does not answer, so error events are lost.", error)
    if status >= 400:
        return problem(
            f"The error tracker refuses events: {status}.",
            "Its project has another key than the DSN: ERROR_TRACKER_SECRET_KEY changed after it was made.",
            "`make up` makes them agree again.",
        )
    return _read_back(scene, ident) or _lost(scene) or ok("An event was taken by the error tracker and found again.")


def _is_ours(scene: Scene) -> bool:
    return is_available(scene.stack, "error_tracker") if scene.mode is Mode.NATIVE else "error_tracker" in runs(scene)


def _send(scene: Scene, url: str) -> tuple[int, str]:
    """An event as Sentry's SDKs send it; the status of the answer, and the id under which it is found."""
    ident, key = f"doctor-{secrets.token_hex(6)}", secrets.token_hex(16)
    now = datetime.now(UTC).isoformat()
    event = {
        "event_id": key,
        "timestamp": now,
        "platform": "python",
        "level": "info",
        "message": MESSAGE,
        "tags": {"event_id": ident, "service": "doctor"},
        "environment": scene.stack.settings.environment,
    }
    body = b"\n".join(orjson.dumps(part) for part in ({"event_id": key, "sent_at": now}, {"type": "event"}, event))
    header = f"Sentry sentry_version=7, sentry_client=nobet-doctor/1, sentry_key={scene.stack.error_key}"
    try:
        answer = httpx.post(
            f"{url}/api/{_PROJECT}/envelope/",
            content=body,
            headers={"X-Sentry-Auth": header, "Content-Type": "application/x-sentry-envelope"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise NoAnswerError(f"the server at {url} did not take an event ({type(error).__name__})") from None
    return answer.status_code, ident


def _read_back(scene: Scene, ident: str) -> list[Finding]:
    token = scene.stack.secret("ERROR_TRACKER_TOKEN")
    deadline, now = time.monotonic() + PATIENCE_SECONDS, time.time()
    url = client_settings(scene).error_tracker_url
    while True:
        try:
            if error_events(url, token, [ident], now - _AROUND_SECONDS, now + _AROUND_SECONDS):
                return []
        except ErrorTrackerError as error:
            refused = " 401" in str(error) or " 403" in str(error)
            return problem(
                "The error tracker takes events and does not show them.",
                "It refuses ERROR_TRACKER_TOKEN." if refused else str(error),
                "`make up` makes them agree again." if refused else log_of(scene, "error_tracker"),
            )
        if time.monotonic() > deadline:
            return problem(
                "The error tracker took an event and never showed it.",
                "It puts events aside to digest them later, and that part stands still or its disk is full.",
                f"{log_of(scene, 'error_tracker')}; {start_again(scene, 'error_tracker')}",
            )
        time.sleep(PAUSE_SECONDS)


def _elsewhere(scene: Scene, dsn: str) -> list[Finding]:
    """A server that somebody chose: no event is sent there, since plans count them."""
    parts = urllib.parse.urlsplit(dsn)
    host = parts.hostname or ""
    address = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
    if not (parts.username and host and parts.path.strip("/")):
        return problem("SENTRY_DSN can't be used.", "It is no https://KEY@HOST/PROJECT.", "Copy it from the project's settings again.")
    try:
        ask(address)
    except NoAnswerError as error:
        reason = str(error)
        return problem(
            f"The error tracker at {host} can't be reached.",
            f"{reason[:1].upper()}{reason[1:]}.",
            "Look whether the address is right, and whether this machine may connect to it.",
        )
    return _lost(scene) or ok(f"The error tracker at {host} answers. No event was sent: the plan counts them.")


def _lost(scene: Scene) -> list[Finding]:
    lost = sum(value for labels, value in own_samples(scene, "app", "telemetry_dropped_total").items() if "error_event" in labels)
    if not lost:
        return []
    return note(f"The app could not send {lost:.0f} error events since its start; the tracker answers now.", log_of(scene, "app"))
