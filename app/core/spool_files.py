"""The files of the spool: what their names say, which there are, and who holds them.

Two marks stand on a segment. The *writer* holds flock(LOCK_EX) for as long as it
may append, and whoever gets that lock knows that it is finished. A *reader* holds
a shared open-file-description lock for as long as it has the segment open, and
the spool's bound must get that one exclusively before it drops a segment: so
none goes while its records are on their way.
"""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIX: Final = ".ndjson"
EVENTS_STREAM: Final = "events"
"""Stream of the tracked events. Log records have the stream without a name."""

STREAMS: Final = frozenset({"", EVENTS_STREAM})
_STRUCT_FLOCK: Final = struct.Struct("hhqqi0q")


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """The parts of a segment's file name. Orders by writer, then sequence: the order of writing."""

    writer: str
    sequence: int
    service: str
    stream: str = ""

    @classmethod
    def parse(cls, name: str) -> "SegmentName | None":
        """The parts of a file name, or None when it is no segment's."""
        service, _, rest = name.removesuffix(SUFFIX).partition(".")
        writer, _, rest = rest.partition(".")
        sequence, dot, stream = rest.partition(".")
        if not (name.endswith(SUFFIX) and service and writer and sequence.isdigit() and stream in STREAMS and bool(dot) == bool(stream)):
            return None
        return cls(writer, int(sequence), service, stream)

    def __str__(self) -> str:
        return f"{self.service}.{self.writer}.{self.sequence:08d}{'.' if self.stream else ''}{self.stream}{SUFFIX}"


def sync_directory(folder: Path) -> None:
    """Make the names in a folder durable: files that were made, renamed or removed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def list_segments(folder: Path) -> list[SegmentName]:
    """The segments of a folder, oldest first within each writer; other files are passed over."""
    try:
        with os.scandir(folder) as entries:
            return sorted(filter(None, (SegmentName.parse(entry.name) for entry in entries)))
    except FileNotFoundError:
        return []


def take_lock(descriptor: int) -> bool:
    """Get the writer's lock without waiting. True: nobody appends, and nobody will."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take_mark(descriptor: int, *, alone: bool = False) -> bool:
    """Get the readers' mark without waiting, shared or alone (that needs a descriptor open for writing). It goes with the open file."""
    kind = fcntl.F_WRLCK if alone else fcntl.F_RDLCK
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _STRUCT_FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True
