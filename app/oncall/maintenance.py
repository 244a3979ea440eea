"""Maintenance windows: what is being worked on pages nobody until the work is over, and then only if it still fires."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from app.oncall.policy import Day, Maintenance, Policy
from app.oncall.watch import MISSING

_DAYS: Final[tuple[str, ...]] = get_args(Day)


@dataclass(frozen=True, slots=True)
class Window:
    """One that is in force: why, for which labels, and until when."""

    reason: str
    match: Mapping[Any, str]
    until: float


def windows_at(policy: Policy, at: float) -> list[Window]:
    """Every window that is in force, the next to end first."""
    found = [Window(each.reason, each.match, end) for each in policy.maintenance if (end := _end_of(each, at)) is not None]
    return sorted(found, key=lambda window: window.until)


def maintained(policy: Policy, incident: Mapping[Any, Any], at: float) -> Window | None:
    """The window that holds pages about this incident back for longest; None when they may go.

    Nothing holds back the page that says that the alerting itself is broken.
    """
    if incident["alertname"] == MISSING:
        return None
    fitting = [window for window in windows_at(policy, at) if all(incident[label] == text for label, text in window.match.items())]
    return fitting[-1] if fitting else None


def _end_of(window: Maintenance, at: float) -> float | None:
    zone = ZoneInfo(window.timezone)
    if window.once_from is not None and window.once_until is not None:
        begin, end = (moment if moment.tzinfo else moment.replace(tzinfo=zone) for moment in (window.once_from, window.once_until))
        return end.timestamp() if begin.timestamp() <= at < end.timestamp() else None
    assert window.start is not None  # noqa: S101 - the policy is checked when it is read
    assert window.end is not None  # noqa: S101
    today = datetime.fromtimestamp(at, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for day in (today, today - timedelta(days=1)):
        if _DAYS[day.weekday()] not in window.days:
            continue
        begin = (day + timedelta(minutes=window.start)).replace(tzinfo=zone)
        end = (day + timedelta(minutes=window.end, days=1 if window.end <= window.start else 0)).replace(tzinfo=zone)
        if begin.timestamp() <= at < end.timestamp():
            return end.timestamp()
    return None
