"""How far alerts have come: Prometheus, Alertmanager, incidents, messages. Whatever can't be asked now is empty, not an error."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from app.stack.drill.receivers import Receivers
from app.stack.stack import Stack

_SECONDS: Final = 5.0
_MOST_INCIDENTS: Final = 200


@dataclass(slots=True)
class Seen:
    """One look at all stages."""

    firing: list[dict[str, str]] = field(default_factory=list)
    """Labels of what fires in Prometheus."""
    knows: bool = False
    """Whether Prometheus answered: only then does an alert's absence mean that it is over."""
    notified: list[tuple[dict[str, str], bool]] = field(default_factory=list)
    """Labels of what Alertmanager has, and whether it is held back by another alert."""
    incidents: list[dict[str, Any]] = field(default_factory=list)
    """Those that are open."""
    remembers: bool = False
    """Whether the on-call service answered."""
    mails: list[str] = field(default_factory=list)
    """Subject and text."""
    slack: list[str] = field(default_factory=list)
    pagerduty: list[str] = field(default_factory=list)


def fits(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether the labels have all these values."""
    return all(labels.get(name) == value for name, value in wanted.items())


class Chain:
    """Looks at one stack."""

    def __init__(self, stack: Stack, receivers: Receivers | None) -> None:
        self._stack: Final = stack
        self._receivers: Final = receivers
        self._http: Final = httpx.Client(timeout=_SECONDS, trust_env=False)
        self._old_mails: set[str] = set()
        self._old_slack = self._old_pagerduty = 0

    @property
    def has_receivers(self) -> bool:
        """Whether Slack and PagerDuty are looked at, too."""
        return self._receivers is not None

    def forget_messages(self) -> None:
        """From here on only new messages count."""
        self._old_mails |= {mail["id"] for mail in self._mails()}
        if self._receivers:  # this inbox is the drill's own, and each look reads all of it
            with suppress(httpx.HTTPError):
                self._http.delete(f"{self._stack.url('inbox')}/email/all")
            self._old_slack, self._old_pagerduty = len(self._receivers.slack), len(self._receivers.pagerduty)

    def look(self) -> Seen:
        """Everything as it is now."""
        seen = Seen()
        alerts = self._get(f"{self._stack.url('prometheus')}/api/v1/alerts")
        if alerts is not None:
            seen.knows = True
            seen.firing = [alert["labels"] for alert in alerts["data"]["alerts"] if alert["state"] == "firing"]
        for alert in self._get(f"{self._stack.url('alertmanager')}/api/v2/alerts") or []:
            seen.notified.append((alert["labels"], bool(alert["status"]["inhibitedBy"])))
        incidents = self._get(f"{self._stack.url('oncall')}/api/incidents?limit={_MOST_INCIDENTS}", self._bearer)
        seen.remembers, seen.incidents = incidents is not None, incidents or []
        seen.mails = [f"{mail.get('subject', '')}\n{mail.get('text', '')}" for mail in self._mails() if mail["id"] not in self._old_mails]
        if self._receivers:
            seen.slack = list(self._receivers.slack[self._old_slack :])
            seen.pagerduty = list(self._receivers.pagerduty[self._old_pagerduty :])
        return seen

    def acknowledge(self, incident: str) -> bool:
        """Answer a page. False when it could not be done."""
        address = f"{self._stack.url('oncall')}/api/incidents/{incident}/acknowledge"
        try:
            return self._http.post(address, json={"who": "drill"}, headers=self._bearer).is_success
        except httpx.HTTPError:
            return False

    def value(self, query: str) -> float | None:
        """The first value of a PromQL query, None without one."""
        try:
            answer = self._http.get(f"{self._stack.url('prometheus')}/api/v1/query", params={"query": query}).json()
            return float(answer["data"]["result"][0]["value"][1])
        except (httpx.HTTPError, ValueError, KeyError, IndexError):
            return None

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._stack.secret('ONCALL_TOKEN')}"}

    def _mails(self) -> list[dict[str, Any]]:
        return self._get(f"{self._stack.url('inbox')}/email") or []

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        try:
            return self._http.get(url, headers=dict(headers or {})).raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return None
