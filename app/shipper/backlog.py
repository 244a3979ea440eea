"""What is still in the spool: bytes, records, segments, age.

Lines that are under way are known from reading them. Of the rest newlines are
counted, as long as it is not more than COUNT_BYTES; a larger backlog is estimated
from its size, so that gigabytes cost no more to look at than megabytes.
"""

import datetime as dt
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.core.spool_files import SegmentName
from app.shipper.batch import RECORD_START
from app.shipper.deadletters import TIMESTAMP_BYTES
from app.shipper.segments import Segment, SegmentQueue

COUNT_BYTES: Final = 8 * 1024 * 1024
"""About 20,000 records; counting them takes a few milliseconds."""

USUAL_LINE: Final = 500
"""Bytes of a record, for an estimate before any was seen."""

_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Backlog:
    """A look at the spool. `exact` tells whether every record was counted."""

    size: int
    records: int
    segments: int
    oldest_seconds: float
    exact: bool
    ends: dict[SegmentName, int] = field(default_factory=dict)
    """Where each segment ended in this look."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """Lines of one segment between two offsets."""

    start: int
    end: int
    lines: int


class BacklogMeter:
    """Measures the backlog; remembers what it has counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counted: dict[SegmentName, _Counted] = {}

    def measure(self, queue: SegmentQueue) -> Backlog:
        """The backlog now: lines under way, and everything that nobody has read."""
        opened = queue.open_segments()
        saved = queue.positions()
        unread = {segment.name: segment.read for segment in opened} | {name: saved.get(str(name), 0) for name in queue.waiting_names()}
        ends = {name: max(start, _size(self._folder / str(name))) for name, start in unread.items()}
        size = sum(ends[name] - start for name, start in unread.items())
        exact = size <= COUNT_BYTES
        if exact:
            self._counted = {name: self._count(name, start, ends[name]) for name, start in unread.items()}
            records = sum(counted.lines for counted in self._counted.values())
        else:
            self._counted = {}
            records = size // USUAL_LINE
        return Backlog(
            size=size + sum(segment.read - segment.delivered for segment in opened),
            records=records + sum(segment.lines_under_way for segment in opened),
            segments=len(unread),
            oldest_seconds=max((_age(segment) for segment in opened), default=0.0),
            exact=exact,
            ends=ends,
        )

    def _count(self, name: SegmentName, start: int, end: int) -> _Counted:
        """Count what was not counted before."""
        known = self._counted.get(name)
        if known is None or known.start != start or known.end > end:
            known = _Counted(start, start, 0)
        return _Counted(start, end, known.lines + _newlines(self._folder / str(name), known.end, end))


def _newlines(path: Path, start: int, end: int) -> int:
    found = 0
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while start < end and (piece := file.read(min(_PIECE, end - start))):
                found += piece.count(b"\n")
                start += len(piece)
    except FileNotFoundError:
        return 0
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _age(segment: Segment) -> float:
    """Seconds since the oldest undelivered record of a segment was written; 0 when there is none."""
    start = segment.bytes_at(segment.delivered, len(RECORD_START) + TIMESTAMP_BYTES)
    if not start:
        return 0.0
    try:
        written = dt.datetime.fromisoformat(start[len(RECORD_START) :].decode("ascii")).timestamp()
    except ValueError:
        written = segment.path.stat().st_mtime if segment.path.exists() else time.time()
    return max(0.0, time.time() - written)
