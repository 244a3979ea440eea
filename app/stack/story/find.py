"""From "it broke at 14:47" to ids: what a user's requests in a span of time came to."""

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass, field
from typing import Any, Final

from app.clients.log_search import LogSearch
from app.stack.errors import StackError
from app.stack.story.units import ENDS, Unit, units_of

AROUND_MINUTES: Final = 5.0
"""People round what they read off a clock; `--at` looks this far to both sides."""

_TIME_OF_DAY: Final = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?\s*([ap]m)?", re.IGNORECASE)


@dataclass(slots=True)
class Report:
    """The user's requests in a span of time, oldest first. `total` says how many there are beyond the limit too."""

    user_id: str
    start: float
    end: float
    units: list[Unit] = field(default_factory=list)
    total: int = 0

    @property
    def worst(self) -> Unit | None:
        """The request that is most likely meant: the worst; among equals the one next to the middle of the span."""
        middle = (self.start + self.end) / 2
        return max(self.units, key=lambda unit: (unit.badness, -abs(unit.end - middle)), default=None)


def find(search: LogSearch, user_id: str, start: float, end: float, limit: int) -> Report:
    """What the user's requests in the span came to. Raises SearchError."""
    records, total = search.ended_requests(user_id, sorted(ENDS), start, end, limit)
    return Report(user_id, start, end, units_of(records[::-1]), total)


def span_of(at: str, begin: str, end: str, within: float, zone: str, now: float) -> tuple[float, float]:
    """The span that the options mean, in seconds since the epoch. Raises StackError for what can't be understood.

    `at` is a moment with `within` minutes to both sides; else from `begin` until `end`, which is now when empty.
    """
    if at and (begin or end):
        raise StackError("Give either --at, or --from and --to.")
    if at:
        middle = parse_time(at, zone, now)
        return middle - within * 60, middle + within * 60
    if not begin:
        raise StackError("Say when: --at 14:47, or --from 14:30 --to 15:00. Times are UTC unless --tz names a zone.")
    start, stop = parse_time(begin, zone, now), parse_time(end, zone, now) if end else now
    if stop <= start:
        raise StackError(f"The span ends before it begins: from {begin} to {end or 'now'}.")
    return start, stop


def parse_time(text: str, zone: str, now: float) -> float:
    """A time of day (14:47, 14:47:30, 2:47pm: the last time it was so late) or an ISO 8601 date and time.

    Raises StackError for anything else, and for an unknown time zone.
    """
    try:
        place: dt.tzinfo = dt.UTC if zone.upper() == "UTC" else zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise StackError(f"There is no time zone {zone!r}. Names look like Europe/Istanbul; UTC is the default.") from None
    match = _TIME_OF_DAY.fullmatch(text.strip())
    try:
        if match:
            return _latest(match, place, now)
        when = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise StackError(f"{text!r} is no time. Write 14:47, 14:47:30, 2:47pm or 2026-11-22T14:47:00+03:00.") from None
    return (when if when.tzinfo else when.replace(tzinfo=place)).timestamp()


def _latest(match: "re.Match[str]", place: dt.tzinfo, now: float) -> float:
    """The last time that the clock showed it. Raises ValueError for a time that no clock shows."""
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    half = (match[4] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(match[0])
        hour = hour % 12 + (12 if half == "pm" else 0)
    today = dt.datetime.fromtimestamp(now, place)
    when = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (when if when <= today else when - dt.timedelta(days=1)).timestamp()


def as_plain(report: Report) -> dict[str, Any]:
    """For JSON: newest last, with the id that is most likely meant."""
    worst = report.worst
    return {
        "format": 1,
        "user_id": report.user_id,
        "from": report.start,
        "to": report.end,
        "total": report.total,
        "likely": worst.request_id if worst is not None and worst.badness else None,
        "requests": [_plain(unit) for unit in report.units],
    }


def _plain(unit: Unit) -> dict[str, Any]:
    record = unit.record or {}
    return {
        "request_id": unit.request_id,
        "time": str(record.get("timestamp", "")),
        "service": unit.service,
        "method": unit.method,
        "path": unit.path,
        "endpoint": unit.endpoint,
        "status_code": unit.status,
        "close_code": unit.close_code,
        "outcome": unit.outcome,
        "seconds": unit.seconds,
        "error_type": record.get("error_type"),
    }
