"""Numbers, times and logged values as people read them."""

import datetime as dt
from typing import Any, Final

from app.core.console import inert

LONGEST_VALUE: Final = 120


def moment(record: dict[str, Any]) -> float:
    """The time of a record in seconds since the epoch; 0 for a foreign document that has none."""
    try:
        return dt.datetime.fromisoformat(str(record.get("timestamp") or record.get("@timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def duration(seconds: float) -> str:
    """A duration for people: `84.2 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.2f} s"
    if seconds < 7200:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"


def counted(count: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(value: object, limit: int = LONGEST_VALUE) -> str:
    """A logged value on one line of the screen, harmless and not longer than `limit`."""
    text = inert(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def clock(seconds: float, reference: float | None = None) -> str:
    """A time of day in UTC, to the millisecond; with its date when it is not the day of `reference`."""
    when = dt.datetime.fromtimestamp(seconds, dt.UTC)
    shown = f"{when:%H:%M:%S}.{when.microsecond // 1000:03d}"
    same_day = reference is not None and dt.datetime.fromtimestamp(reference, dt.UTC).date() == when.date()
    return shown if same_day else f"{when:%Y-%m-%d} {shown}"
