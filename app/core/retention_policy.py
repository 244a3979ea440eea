"""Which indices are ours by their names, and when they have been kept long enough."""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from app.core.archive import Manifest

TRACE_PREFIXES: Final = ("jaeger-span", "jaeger-service", "jaeger-dependencies")
"""Jaeger's own names for its daily indices, PREFIX-YYYY-MM-DD."""

_DAY: Final = re.compile(r"(?a:(\d{4})\.(\d{2})\.(\d{2}))")
_TRACE_DAY: Final = re.compile(r"(?a:(\d{4})-(\d{2})-(\d{2}))")


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Which indices are ours and how long they, and their archives, are kept; in whole days."""

    prefixes: tuple[str, ...]
    index_days: int
    archive_days: int
    trace_days: int

    def day_of(self, name: str) -> dt.date | None:
        """The day in the name of one of our indices; None for every other name."""
        return _day_in(name, self.prefixes, _DAY)

    def is_expired(self, name: str, today: dt.date) -> bool:
        """Whether it is one of our indices, and its day more than `index_days` before `today` (UTC, as in the names)."""
        day = self.day_of(name)
        return day is not None and (today - day).days > self.index_days

    def are_traces_expired(self, name: str, today: dt.date) -> bool:
        """Whether it is an index of traces, and its day more than `trace_days` before `today`."""
        day = _day_in(name, TRACE_PREFIXES, _TRACE_DAY)
        return day is not None and (today - day).days > self.trace_days

    def is_archive_expired(self, manifest: Manifest, now: dt.datetime) -> bool:
        """Whether an archive was made more than `archive_days` ago."""
        return now - dt.datetime.fromisoformat(manifest.archived_at) > dt.timedelta(days=self.archive_days)


def _day_in(name: str, prefixes: Collection[str], pattern: re.Pattern[str]) -> dt.date | None:
    for prefix in prefixes:
        if name.startswith(f"{prefix}-") and (match := pattern.fullmatch(name, len(prefix) + 1)):
            try:
                return dt.date(int(match[1]), int(match[2]), int(match[3]))
            except ValueError:  # 2026.02.30
                return None
    return None
