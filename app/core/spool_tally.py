"""How many records the spool has taken, over every life of every writer: the side of the books that the shipper does not keep.

Each writer has a file `<spool>/.written/<service>.<writer>[.events]` with its own
total up to its last finished segment, and keeps it locked as long as it lives. It
is changed when a segment is finished, never for a record: what stands in the
segment that is being written is counted by its newlines. Who removes a segment
that its writer has not counted, because it was killed, counts it before that and
keeps the number in a file of its own. So nothing is forgotten by `kill -9`, and
what the writers say is independent of what was read.

A file is 256 bytes, changed in place by one pwrite: a checksum, and
[last segment counted, records, dropped records, last file settled]. The last
entry makes a removal that was cut off in the middle count once: the segment, or
the dead writer's file, that it names is in the total already.
"""

import binascii
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from app.core.spool_files import SegmentName, list_segments, take_lock

FOLDER: Final = ".written"
_BYTES: Final = 256
_READ_TRIES: Final = 3
"""A read may fall into a change; the next one doesn't."""

_PIECE: Final = 1 << 20


@dataclass(slots=True)
class Counts:
    """What stands in one file."""

    upto: int = 0
    records: int = 0
    dropped: int = 0
    settled: str = ""


@dataclass(slots=True)
class Totals:
    """All files together. Records of segments that nobody has counted yet are not in it."""

    records: int = 0
    dropped: int = 0
    upto: dict[str, int] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def lacks(self, name: SegmentName) -> bool:
        """Whether the records of a segment are not in the total."""
        return self.upto.get(writer_file(name), 0) < name.sequence and str(name) not in self.settled


class Tally:
    """The file of one process. Thread-safe; neither raises nor waits. One that can't be made counts nothing: the removers do."""

    def __init__(self, folder: Path, name: str) -> None:
        """Makes and locks the file `name` for the spool in `folder`."""
        self._folder: Final = folder
        self._lock = threading.Lock()
        self._counts = Counts()
        self._descriptor = -1
        with suppress(OSError):
            self._descriptor = _make(folder, name)
            try:
                os.pwrite(self._descriptor, _encode(self._counts), 0)  # from here on its block is there, also when the disk is full
            except OSError:
                self.close()

    def finished(self, upto: int, records: int) -> None:
        """All segments up to this number are finished; the writer has put so many records into them since the last call."""
        with self._lock:
            self._counts.upto = upto
            self._counts.records += records
            self._save()

    def dropped(self, records: int) -> None:
        """The bound of the spool took so many records that were not delivered."""
        with self._lock:
            self._counts.dropped += records
            self._save()

    def settle(self, name: SegmentName) -> None:
        """A segment is about to be removed: count its records, unless its writer has. Its lock must be held."""
        with self._lock, suppress(OSError):
            if read_totals(self._folder).lacks(name):
                self._counts.records += count_lines(self._folder / str(name))
                self._counts.settled = str(name)
                self._save()

    def fold(self) -> None:
        """Take over the counts of the dead whose segments are gone, and remove their files."""
        living = {writer_file(name) for name in list_segments(self._folder)}
        for path, counts in _files(self._folder):
            if path.name not in living and not self._is_own(path):
                with suppress(OSError):
                    self._fold_one(path, counts)

    def close(self) -> None:
        """Let the file go; somebody folds it when no segment is left."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _fold_one(self, path: Path, counts: Counts) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not take_lock(descriptor):
                return
            # What it was about to remove is in its total, so it has to be gone before the note of that goes.
            if counts.settled and not counts.settled.endswith(".ndjson"):
                (path.parent / counts.settled).unlink(missing_ok=True)
            elif counts.settled and (self._folder / counts.settled).exists():
                return
            with self._lock:
                if path.name not in read_totals(self._folder).settled:
                    self._counts.records += counts.records
                    self._counts.dropped += counts.dropped
                    self._counts.settled = path.name
                    self._save()
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _is_own(self, path: Path) -> bool:
        return self._descriptor >= 0 and os.path.samestat(path.stat(), os.fstat(self._descriptor))

    def _save(self) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                os.pwrite(self._descriptor, _encode(self._counts), 0)


def read_totals(folder: Path) -> Totals:
    """What all files say together. A file that can't be read says nothing: its segments are counted when they are removed."""
    found = list(_files(folder))
    totals = Totals(settled={counts.settled for _, counts in found if counts.settled})
    for path, counts in found:
        totals.upto[path.name] = counts.upto
        if path.name not in totals.settled:
            totals.records += counts.records
            totals.dropped += counts.dropped
    return totals


def writer_file(name: SegmentName) -> str:
    """The file of the writer of a segment."""
    return ".".join(part for part in (name.service, name.writer, name.stream) if part)


def count_lines(path: Path, start: int = 0, end: int | None = None) -> int:
    """Newlines between two offsets; none in a file that is gone."""
    lines = 0
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while (left := _PIECE if end is None else min(_PIECE, end - start)) > 0 and (piece := file.read(left)):
                lines += piece.count(b"\n")
                start += len(piece)
    except FileNotFoundError:
        pass
    return lines


def _encode(counts: Counts) -> bytes:
    body = orjson.dumps([counts.upto, counts.records, counts.dropped, counts.settled])
    return (b"%08x %b" % (binascii.crc32(body), body)).ljust(_BYTES)


def _make(folder: Path, name: str) -> int:
    home = folder / FOLDER
    if not home.exists():
        home.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            home.chmod(folder.stat().st_mode & 0o777)  # who may write segments may count them
    descriptor = os.open(home / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    take_lock(descriptor)
    return descriptor


def _files(folder: Path) -> Iterator[tuple[Path, Counts]]:
    try:
        paths = sorted((folder / FOLDER).iterdir())
    except OSError:
        return
    for path in paths:
        for _ in range(_READ_TRIES):
            try:
                checksum, _, body = path.read_bytes().rstrip().partition(b" ")
            except OSError:
                break
            if checksum == b"%08x" % binascii.crc32(body):
                upto, records, dropped, settled = orjson.loads(body)
                yield path, Counts(upto, records, dropped, settled)
                break
