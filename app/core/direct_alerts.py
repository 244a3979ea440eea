"""The way past Alertmanager: people are told by mail, and by Slack where it is set, once on a machine for each alert and its end."""

import contextlib
import hashlib
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.core import metrics
from app.core.config import Settings
from app.core.logger import get_logger
from app.core.mailer import MailDelivery, plain_mail

UNREACHABLE_SECONDS: Final = 30.0
"""Alertmanager may be restarted within it; then people are told directly."""

STALE_SECONDS: Final = 300.0
"""A mark of a message that no process has renewed for so long is that of a process that died."""

RUNBOOK: Final = "https://github.com/nobet-stack/nobet/blob/main/docs/runbook.md#"
_TIMEOUT_SECONDS: Final = 5.0

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses, and that of Slack is secret

log = get_logger(__name__)


@dataclass(slots=True)
class OwnAlert:
    """One alert and what became of it. Times are seconds since the epoch."""

    labels: dict[str, str]
    summary: str
    description: str
    since: float
    ended: float | None = None
    told: float = 0.0
    told_end: bool = False
    direct: bool = False
    """Whether people were told past Alertmanager, by this process or another on this machine."""
    failing_since: float | None = None

    @property
    def mark(self) -> str:
        """The same in every worker."""
        text = "\0".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        return f"alert-{hashlib.sha256(text.encode()).hexdigest()[:24]}.told"


class DirectAlerts:
    """Tells people. Marks in the spool's folder let one of many workers do it."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings: Final = settings
        self._service: Final = service

    def tell(self, alerts: list[OwnAlert], now: float) -> None:
        """Tell what Alertmanager can't be told, and the end of what was told so. Never raises for what it works with."""
        fresh = [one for one in alerts if one.ended is None and self._needs_people(one, now) and self._is_first(one, now)]
        if fresh:
            told = self._send("FIRING", fresh)
            for one in fresh:
                one.direct = told
                if not told:
                    self._mark_of(one).unlink(missing_ok=True)
        for one in alerts:
            if one.direct and one.ended is None:
                with contextlib.suppress(OSError):
                    os.utime(self._mark_of(one), (now, now))
        over = [one for one in alerts if one.direct and one.ended is not None]
        mine = [one for one in over if self._took(one)]
        if mine and not self._send("RESOLVED", mine):
            log.warning("Nobody could be told that an alert is over", event="alert.undelivered", reason="mail")
        for one in over:
            one.direct = False

    def _needs_people(self, one: OwnAlert, now: float) -> bool:
        patience = UNREACHABLE_SECONDS if self._settings.alertmanager_url else 0.0
        return not one.direct and one.failing_since is not None and now - one.failing_since >= patience

    def _is_first(self, one: OwnAlert, now: float) -> bool:
        """Whether nobody on this machine has told people of it yet; from now on somebody has."""
        path = self._mark_of(one)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and now - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
            path.touch(mode=0o600, exist_ok=False)
            os.utime(path, (now, now))
        except FileExistsError:
            one.direct = True
            return False
        except OSError:
            return True  # a full disk: a message twice is better than none
        return True

    def _took(self, one: OwnAlert) -> bool:
        """Whether it is ours to tell the end: the mark is there for one process only."""
        try:
            self._mark_of(one).unlink()
        except OSError:
            return False
        return True

    def _mark_of(self, one: OwnAlert) -> Path:
        return (self._settings.spool_dir or Path(self._settings.stack_dir)) / one.mark

    def _send(self, word: str, alerts: list[OwnAlert]) -> bool:
        """By mail and, where it is set, by Slack; each whatever becomes of the other. Whether anybody was reached."""
        head = alerts[0].labels["alertname"] if len(alerts) == 1 else f"{len(alerts)} alerts"
        subject = f"[{word}] {head} on {self._service} ({self._settings.environment}), told by the service itself"
        text = "\n\n".join(_text(one) for one in alerts) + "\n\nAlertmanager did not answer, so this came directly."
        reached = False
        for way, send in (("mail", self._mail), ("slack", self._slack)):
            try:
                done = send(subject, text)
            except Exception as error:  # noqa: BLE001 (one way must not keep the other from being used)
                log.error("An alert could not be sent directly", event="alert.undelivered", component=way, reason=type(error).__name__)
                metrics.counter("app_alerts_total").labels("failed").inc()
                continue
            if done:
                metrics.counter("app_alerts_total").labels(way).inc(len(alerts))
            reached |= done
        return reached

    def _mail(self, subject: str, text: str) -> bool:
        if not self._settings.smtp_server:
            return False
        MailDelivery(self._settings).send(plain_mail(self._settings, self._settings.alert_email_to, subject, text), _TIMEOUT_SECONDS)
        return True

    def _slack(self, subject: str, text: str) -> bool:
        url = self._settings.slack_webhook_url.get_secret_value()
        if not url:
            return False
        import httpx  # as in `alerting`

        inert = f"{subject}\n{text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        httpx.post(url, json={"text": inert}, timeout=_TIMEOUT_SECONDS, trust_env=False).raise_for_status()
        return True


def _text(one: OwnAlert) -> str:
    since = datetime.fromtimestamp(one.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    labels = ", ".join(f"{name}: {value}" for name, value in sorted(one.labels.items()) if name != "alertname")
    lasted = f"It is over; it lasted {round(one.ended - one.since)} s." if one.ended is not None else f"Since {since}."
    lines = [f"{one.labels['alertname']}: {one.summary}", one.description, labels, lasted]
    return "\n".join([*filter(None, lines), f"Runbook: {RUNBOOK}{one.labels['alertname'].lower()}"])
