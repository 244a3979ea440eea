"""Follows one alert through the chain and notes when it came where, on the way up and on the way down."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from app.stack.drill.chain import Seen, fits
from app.stack.drill.model import MISSING_WATCHDOG, Expected

FIRING: Final = "firing"
ALERTMANAGER: Final = "Alertmanager"
INHIBITED: Final = "held back"
INCIDENT: Final = "incident"
MAIL: Final = "mail"
SLACK: Final = "Slack"
PAGERDUTY: Final = "PagerDuty"
NOT_FIRING: Final = "not firing"
CLOSED: Final = "incident closed"
END_MAIL: Final = "mail of the end"
END_SLACK: Final = "Slack's message of the end"
END_PAGERDUTY: Final = "PagerDuty's event of the end"


@dataclass(slots=True)
class Proof:
    """Times are seconds since the fault was done, and for the way down since it was undone."""

    expected: Expected
    with_receivers: bool
    up: dict[str, float] = field(default_factory=dict)
    down: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    incident: str = ""
    acknowledged: bool = False

    @property
    def alert(self) -> str:
        """Name of the alert whose incident and messages are looked for."""
        return MISSING_WATCHDOG if self.expected.way == "heartbeat" else self.expected.alert

    @property
    def stages_up(self) -> tuple[str, ...]:
        """What must be seen after the fault, in order."""
        chat = ((SLACK, PAGERDUTY) if self.is_page else (SLACK,)) if self.with_receivers else ()
        return {
            "page": (FIRING, ALERTMANAGER, INCIDENT, MAIL, *chat),
            "direct": (FIRING, ALERTMANAGER, MAIL),
            "record": (FIRING, ALERTMANAGER),
            "held": (FIRING, INHIBITED),
            "heartbeat": (INCIDENT, MAIL, *chat),
            "unsent": (FIRING,),
        }[self.expected.way]

    @property
    def stages_down(self) -> tuple[str, ...]:
        """What must be seen after the fault is undone."""
        chat = ((END_SLACK, END_PAGERDUTY) if self.is_page else (END_SLACK,)) if self.with_receivers else ()
        return {
            "page": (NOT_FIRING, CLOSED, END_MAIL, *chat),
            "direct": (NOT_FIRING, END_MAIL),
            "record": (NOT_FIRING,),
            "held": (NOT_FIRING,),
            "heartbeat": (CLOSED, END_MAIL, *chat),
            "unsent": (NOT_FIRING,),
        }[self.expected.way]

    @property
    def is_page(self) -> bool:
        """Whether it goes to the pager: critical ones do."""
        return self.expected.way == "heartbeat" or self.expected.severity == "critical"

    @property
    def labels(self) -> dict[str, str]:
        """Labels by which it is known."""
        severity = {"severity": self.expected.severity} if self.expected.severity else {}
        return {"alertname": self.expected.alert, **severity, **self.expected.labels}

    def missing(self, *, ending: bool) -> list[str]:
        """Stages that were not seen yet."""
        return (
            [stage for stage in self.stages_down if stage not in self.down] if ending else [s for s in self.stages_up if s not in self.up]
        )

    def note(self, seen: Seen, seconds: float, *, ending: bool) -> None:
        """Note the stages that are reached now."""
        times = self.down if ending else self.up
        for stage in self.missing(ending=ending):
            if _STAGES[stage](self, seen):
                times[stage] = seconds

    def fires(self, seen: Seen) -> bool:
        """Whether Prometheus has it firing."""
        return any(fits(labels, self.labels) for labels in seen.firing)

    def incidents(self, seen: Seen) -> list[dict[str, Any]]:
        """Its open incidents."""
        service = self.expected.labels.get("service")
        return [found for found in seen.incidents if found["alertname"] == self.alert and (service is None or found["service"] == service)]

    def told(self, messages: Collection[str], *words: str) -> bool:
        """Whether a message names it, and says one of the words."""
        return any(_names(message, self.alert) and any(word in message for word in words) for message in messages)

    def paged(self, events: Collection[str], action: str) -> bool:
        """Whether the pager has an event of this very incident: another service may have an alert of the same name."""
        return bool(self.incident) and any(action in event and self.incident in event for event in events)


def _names(message: str, alert: str) -> bool:
    """Whether it is about this alert rather than one whose name begins or ends so."""
    message, alert = message.lower(), alert.lower()  # an address of the runbook has it in small letters
    place = message.find(alert)
    while place >= 0:
        around = message[place - 1 : place] + message[place + len(alert) : place + len(alert) + 1]
        if not any(mark.isalnum() for mark in around):
            return True
        place = message.find(alert, place + 1)
    return False


def _incident(proof: Proof, seen: Seen) -> bool:
    for found in proof.incidents(seen):
        proof.incident = found["id"]
        return True
    return False


_STAGES: Final[dict[str, Callable[[Proof, Seen], bool]]] = {
    FIRING: lambda proof, seen: proof.fires(seen),
    ALERTMANAGER: lambda proof, seen: any(fits(labels, proof.labels) for labels, _ in seen.notified),
    INHIBITED: lambda proof, seen: any(held and fits(labels, proof.labels) for labels, held in seen.notified),
    INCIDENT: _incident,
    MAIL: lambda proof, seen: proof.told(seen.mails, "[FIRING", "[CRITICAL", "[WARNING"),
    SLACK: lambda proof, seen: proof.told(seen.slack, "[FIRING"),
    PAGERDUTY: lambda proof, seen: proof.paged(seen.pagerduty, '"trigger"'),
    NOT_FIRING: lambda proof, seen: seen.knows and not proof.fires(seen),
    CLOSED: lambda proof, seen: seen.remembers and not proof.incidents(seen),
    END_MAIL: lambda proof, seen: proof.told(seen.mails, "[RESOLVED"),
    END_SLACK: lambda proof, seen: proof.told(seen.slack, "[RESOLVED"),
    END_PAGERDUTY: lambda proof, seen: proof.paged(seen.pagerduty, '"resolve"'),
}
