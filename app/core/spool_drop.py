"""The bound of the spool: beyond it the oldest finished segments go, and what was lost with them is counted.

A segment goes only when nobody appends to it and nobody reads it. Its lines up to
the position that the shipper saved are delivered and no loss; the others are the
count. Lines that were delivered in the last second before the shipper was killed
are among the lost ones: they were never counted as indexed either, so that each
record is counted once, and the sum of `emitted = indexed + dead + dropped + backlog` holds.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from app.core.spool_files import SegmentName, list_segments, take_lock, take_mark
from app.core.spool_positions import delivered_positions

_PIECE: Final = 1 << 20


def drop_beyond(
    folder: Path, max_bytes: int, settle: Callable[[SegmentName], None] = lambda _name: None
) -> Iterator[tuple[SegmentName, int]]:
    """Remove the oldest finished segments until the folder fits its bound; yields each with its count of lost records.

    `settle` is told of each before it goes, while its lock is held.
    Segments of other users, which may be read and not locked, stay; their own writers drop them.
    """
    found = [(status.st_mtime_ns, name, status.st_size) for name in list_segments(folder) if (status := _status(folder / str(name)))]
    excess = sum(size for _, _, size in found) - max_bytes
    if excess <= 0:
        return
    for _, name, size in sorted(found):
        if excess <= 0:
            return
        records = _drop(folder, name, settle)
        if records is not None:
            excess -= size
            yield name, records


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _drop(folder: Path, name: SegmentName, settle: Callable[[SegmentName], None]) -> int | None:
    """Count the undelivered records of a segment and unlink it; None when somebody holds it or it is gone."""
    path = folder / str(name)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None
    try:
        if not take_lock(descriptor) or not take_mark(descriptor, alone=True):
            return None
        records = _records_from(descriptor, delivered_positions(folder).get(str(name), 0))
        settle(name)
        path.unlink()
    except FileNotFoundError:
        return None
    else:
        return records
    finally:
        os.close(descriptor)


def _records_from(descriptor: int, offset: int) -> int:
    """Lines behind an offset; all of them when it is none of this file."""
    if not 0 < offset <= os.fstat(descriptor).st_size or os.pread(descriptor, 1, offset - 1) != b"\n":
        offset = 0
    records = 0
    while piece := os.pread(descriptor, _PIECE, offset):
        records += piece.count(b"\n")
        offset += len(piece)
    return records
