"""What is still in the spool: bytes, records, segments, age.

Newlines are counted once per byte, as it is written, and never more than
COUNT_BYTES at a look; what is beyond is estimated, so that a backlog of gigabytes
costs the same at each look.
"""

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.spool import SegmentName
from app.shipper.batch import RECORD_START
from app.shipper.deadletters import TIMESTAMP_BYTES
from app.shipper.segments import Segment, SegmentQueue

COUNT_BYTES: Final = 64 * 1024 * 1024
_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Backlog:
    """A look at the spool. `exact` tells whether every record was counted."""

    size: int
    records: int
    segments: int
    oldest_seconds: float
    exact: bool


@dataclass(slots=True)
class _Lines:
    """Lines of one segment: how far they are counted, and how many of them lie behind `since`."""

    since: int
    counted: int
    lines: int = 0


class BacklogMeter:
    """Measures the backlog; remembers what it has counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[SegmentName, _Lines] = {}

    def measure(self, queue: SegmentQueue) -> Backlog:
        """The backlog now: everything behind the delivered position of each segment."""
        budget = COUNT_BYTES
        size = records = uncounted = 0
        lines: dict[SegmentName, _Lines] = {}
        opened = {segment.name: segment for segment in queue.open_segments()}
        saved = queue.positions()
        pending = {name: segment.delivered for name, segment in opened.items()} | {
            name: saved.get(str(name), 0) for name in queue.waiting_names()
        }
        for name, delivered in pending.items():
            end = _size(self._folder / str(name))
            size += max(0, end - delivered)
            known = lines[name] = self._count(name, delivered, min(end, delivered + budget))
            budget -= max(0, known.counted - delivered)
            records += known.lines
            uncounted += max(0, end - known.counted)
        self._lines = lines
        mean = (size - uncounted) / records if records else 512
        estimate = int(uncounted / mean) if uncounted > mean else 0
        oldest = max((_age(segment) for segment in opened.values()), default=0.0)
        return Backlog(size, records + estimate, len(pending), oldest, exact=not estimate)

    def _count(self, name: SegmentName, delivered: int, end: int) -> _Lines:
        known = self._lines.get(name) or _Lines(delivered, delivered)
        if known.since < delivered <= known.counted:
            known.lines -= _newlines(self._folder / str(name), known.since, delivered)
        elif delivered > known.counted:
            known.counted, known.lines = delivered, 0
        known.since = delivered
        if end > known.counted:
            known.lines += _newlines(self._folder / str(name), known.counted, end)
            known.counted = end
        return known


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
