"""What a drill is: a fault, the alerts that it proves, and how far each of them has to come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from app.stack.drill.arena import Arena

Way = Literal["page", "direct", "record", "held", "heartbeat", "unsent"]
"""page: through the on-call service to people. direct: past it, by Alertmanager's own mail. record: to be seen in Alertmanager only.
held: inhibited by another alert on purpose. heartbeat: its absence is told. unsent: the fault itself cuts the way to Alertmanager."""

MISSING_WATCHDOG: Final = "WatchdogMissing"
"""The on-call service's own incident about a heartbeat that stays away."""

PATIENCE_SECONDS: Final = 300.0
"""For one step, on a machine that does much else; an idle one needs a tenth of it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that a fault must raise. Severity and labels are named where the name alone fits several rules or series."""

    alert: str
    severity: str = ""
    way: Way = "page"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert rule as Prometheus has it: the name alone is not unique."""

    alert: str
    severity: str
    service: str = ""
    """Where the rule itself names it."""

    @property
    def title(self) -> str:
        """For tables."""
        return f"{self.alert} ({', '.join(part for part in (self.severity, self.service) if part)})"

    def is_proven_by(self, expected: Expected) -> bool:
        """Whether this is the rule that an expectation is about."""
        if expected.alert != self.alert or (expected.severity and expected.severity != self.severity):
            return False
        return not (self.service and "service" in expected.labels and expected.labels["service"] != self.service)


Limits = Callable[["Arena"], Mapping[str, float]]


def no_limits(_arena: "Arena") -> Mapping[str, float]:
    """The limits as they are."""
    return {}


@dataclass(frozen=True, slots=True)
class Drill:
    """One fault. `fault` does it through the arena, which knows how to undo it."""

    name: str
    how: str
    """What is done, in words for the report."""
    fault: Callable[["Arena"], None]
    proves: tuple[Expected, ...]
    limits: Limits = no_limits
    """Limits of prometheus/thresholds.yml that are moved for this drill, where the real one would harm the machine."""
    scale: float = 1.0
    """Factor on the run's time scale, for rules whose windows would be too short or too long."""
    acknowledge: bool = True
    """Whether pages are answered as soon as they have come."""
    unanswered: tuple[str, ...] = ()
    """Alerts that the fault raises besides, and that nobody answers: their messages are what the drill is about."""
    together: str = ""
    """Drills of one name run at once: faults that don't touch each other, of the same scale."""
    own_only: bool = False
    """Whether it needs the stand-ins that only the drill's own stack talks to."""
    after: Callable[["Arena"], None] | None = None
    """What must be done once the fault is undone for the alert to end, such as a repair by hand."""
