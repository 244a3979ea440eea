"""Events that clients report: checked against the declared types, put right in time, and tracked like our own."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from app.core import metrics
from app.core.analytics import Tracker
from app.core.telemetry.tracked import TRACKED
from app.core.tracked_event import clean_properties

UNKNOWN_TYPE: Final = "is not a declared event"
BAD_PROPERTIES: Final = {
    "undeclared": "this event has no such property",
    "wrong_type": "has a value of another type or form than is declared",
    "personal": "looks like personal data",
}


@dataclass(frozen=True, slots=True)
class Reported:
    """An event as a client reports it. `time` is by its clock."""

    event_type: str
    properties: Mapping[str, Any]
    time: dt.datetime | None = None
    id: UUID | None = None
    correlation_id: str | None = None


@dataclass(slots=True)
class Taken:
    """What became of a batch: how many were taken, and place and problem of each that was not. No values of the client's."""

    accepted: int = 0
    clamped: int = 0
    refusals: list[tuple[str, str]] = field(default_factory=list)


def take_events(tracker: Tracker, user_id: str | None, source: str, events: Sequence[Reported], oldest: dt.timedelta) -> Taken:
    """Track the good events of a batch; the others are counted by reason and told."""
    taken = Taken()
    now = dt.datetime.now(dt.UTC)
    for place, event in enumerate(events):
        problem = _problem(place, event)
        if problem:
            taken.refusals.append(problem)
            continue
        time = min(max(event.time, now - oldest), now) if event.time else now
        taken.clamped += event.time is not None and time != event.time
        tracker.track(
            user_id,
            event.event_type,
            event.properties,
            ident=str(event.id) if event.id else None,
            time=time,
            source=source,
            request_id=event.correlation_id,
        )
        taken.accepted += 1
    return taken


def count_refused(reason: str, events: int = 1) -> None:
    """Count events that were not taken."""
    metrics.counter("tracked_events_refused_total").labels(reason).inc(events)


def _problem(place: int, event: Reported) -> tuple[str, str] | None:
    """Where and why an event is refused, if it is."""
    if event.event_type not in TRACKED:
        count_refused("unknown_type")
        return f"body.events.{place}.event_type", UNKNOWN_TYPE
    _, removed = clean_properties(event.event_type, event.properties)
    if removed:
        count_refused("bad_properties")
        return f"body.events.{place}.properties", "; ".join(BAD_PROPERTIES[reason] for reason in removed)
    return None
