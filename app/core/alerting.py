"""The alerts of our own processes: to Alertmanager, and past it by mail (and Slack) when it can't be reached.

Prometheus sees most of what goes wrong, and asks by itself. This is for the rest of the way:
a process that knows of a fault says so even when nobody scrapes it. An alert that a rule makes
too has the same name and labels here, so Alertmanager takes both for one; it groups, silences
and inhibits them like all others. What goes past it is deduplicated as well: one message for an
alert however many workers see it, and one for its end. All of it happens on a thread of its own.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from app.core import context, metrics
from app.core.config import Settings
from app.core.direct_alerts import RUNBOOK, DirectAlerts, OwnAlert
from app.core.logger import get_logger

RESEND_SECONDS: Final = 30.0
LASTS_SECONDS: Final = 120.0
"""Unless it is told again within it, Alertmanager takes an alert for over: a process that died keeps none alive."""

LINGER_SECONDS: Final = 75.0
"""How long an ended alert goes on: so long a rule about the same looks back, and it must not flap between the two."""

_POLL_SECONDS: Final = 5.0
_TIMEOUT_SECONDS: Final = 5.0

log = get_logger(__name__)


@dataclass(slots=True)
class _State:
    alerts: dict[str, OwnAlert] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Alerting:
    """Alerts of one process."""

    def __init__(self, settings: Settings, service: str, clock: Callable[[], float] = time.time) -> None:
        self._settings: Final = settings
        self._service: Final = service
        self._clock: Final = clock
        self._people: Final = DirectAlerts(settings, service)
        self._state: Final = _State()
        self._wake: Final = threading.Event()
        self._ending: Final = threading.Event()
        self._thread: threading.Thread | None = None

    def fire(self, name: str, *, severity: str, summary: str, description: str = "", **labels: str) -> None:
        """Something is wrong. Saying it again changes nothing. Never blocks and never raises."""
        found = {"alertname": name, "service": self._service, "env": self._settings.environment, **labels}
        key = _key(found)
        with self._state.lock:
            known = self._state.alerts.get(key)
            if known is not None and known.ended is None:
                return
            self._state.alerts[key] = OwnAlert(
                {**found, "severity": severity},
                summary,
                description,
                known.since if known else self._clock(),
                direct=known.direct if known else False,
            )
        self._work()
        log.warning("An alert of the process itself", event="alert.raised", alert_name=name, reason=summary)

    def end(self, name: str, **labels: str) -> None:
        """It is over. Without such an alert nothing happens."""
        key = _key({"alertname": name, "service": self._service, "env": self._settings.environment, **labels})
        with self._state.lock:
            known = self._state.alerts.get(key)
            if known is None or known.ended is not None:
                return
            known.ended = self._clock()
        self._wake.set()
        log.info("An alert of the process itself is over", event="alert.ended", alert_name=name)

    def close(self) -> None:
        """End the thread. What still fires runs out at Alertmanager, unless another process tells it."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_TIMEOUT_SECONDS)

    def deliver(self) -> None:
        """One round: tell Alertmanager what is due, and people what it can't be told. Never raises."""
        now = self._clock()
        with self._state.lock:
            alerts = dict(self._state.alerts)
        due = {key: one for key, one in alerts.items() if _is_due(one, now)}
        if due:
            reached = self._tell_alertmanager(list(due.values()), now)
            for one in due.values():
                if reached:
                    one.told, one.told_end, one.failing_since = now, one.ended is not None, None
                else:
                    one.failing_since = one.failing_since or now
        self._people.tell(list(alerts.values()), now)
        with self._state.lock:
            for key, one in alerts.items():
                over = one.ended is not None and not one.direct and (one.told_end or not one.told)
                if over and self._state.alerts.get(key) is one:
                    del self._state.alerts[key]

    def _work(self) -> None:
        """Start the thread with the first alert: a process in which all is well has none."""
        self._wake.set()
        if self._thread is None and not self._ending.is_set():
            self._thread = threading.Thread(target=self._run, name="alerting", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            with context.run("alerting"):
                try:
                    self.deliver()
                except Exception:
                    log.exception("The alerting has a fault", event="error.raised")
            self._wake.wait(_POLL_SECONDS if self._state.alerts else None)

    def _tell_alertmanager(self, alerts: list[OwnAlert], now: float) -> bool:
        address = self._settings.alertmanager_url.rstrip("/")
        if not address:
            return False
        import httpx  # 5 MiB, which a process in which all is well doesn't need

        try:
            answer = httpx.post(
                f"{address}/api/v2/alerts", json=[_document(one, now) for one in alerts], timeout=_TIMEOUT_SECONDS, trust_env=False
            )
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if any(one.failing_since is None for one in alerts):
                log.warning("Alertmanager can't be told of an alert", event="alert.undelivered", reason=type(error).__name__)
                metrics.counter("app_alerts_total").labels("failed").inc()
            return False
        metrics.counter("app_alerts_total").labels("alertmanager").inc(len(alerts))
        return True


def _key(labels: dict[str, str]) -> str:
    return "\0".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _is_due(one: OwnAlert, now: float) -> bool:
    if one.ended is not None:
        return bool(one.told) and not one.told_end
    return now - one.told >= RESEND_SECONDS or one.failing_since is not None


def _document(one: OwnAlert, now: float) -> dict[str, Any]:
    end = now + LASTS_SECONDS if one.ended is None else one.ended + LINGER_SECONDS
    return {
        "labels": one.labels,
        "annotations": {
            "summary": one.summary,
            "description": one.description,
            "runbook_url": RUNBOOK + one.labels["alertname"].lower(),
        },
        "startsAt": datetime.fromtimestamp(one.since, UTC).isoformat(),
        "endsAt": datetime.fromtimestamp(end, UTC).isoformat(),
    }
