"""The spool: append-only files between the request path and the shipper.

Format
    One flat folder. A segment is `<service>.<writer>.<sequence>.ndjson`, or with
    `.events.ndjson` one of tracked events, which go to indices of their own. Writer
    names are unique per process start, sequence numbers grow by one. A segment
    holds whole lines, each a JSON object that begins `{"timestamp":"<26 characters>Z"`.

Invariants
    1. One writer per segment, one write(2) per record: what was written survives `kill -9`.
    2. A writer holds flock(LOCK_EX) on the segment that it appends to. Whoever
       gets that lock knows that nobody will ever append again.
    3. The next segment is open and locked, and the folder synced, before the last is let go.
    4. Bytes are never changed in place. A write that came out short is cut off
       again at once; where even that fails, the torn piece ends at the next newline.
    5. The caller never gets an exception, and never waits for a lock or the network.

Bound
    Beyond `max_bytes` the oldest finished segment that nobody reads is dropped,
    and its records are counted. The look happens when a segment is closed, in a
    thread of its own.

Recovery
    A folder that is full or gone makes `append` return False; the caller writes
    the record elsewhere. Each later record tries again, at most once a second
    when a new segment must be opened, so that the spool comes back by itself.

Durability
    Written: after `append` returned True (survives the process). Durable: after
    the next `sync`, in the interval of the settings (survives power loss).
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIX: Final = ".ndjson"
EVENTS_STREAM: Final = "events"
"""Stream of the tracked events. Log records have the stream without a name."""

STREAMS: Final = frozenset({"", EVENTS_STREAM})
REOPEN_SECONDS: Final = 1.0
"""Shortest pause between two tries to open a segment, so that a full disk costs one system call a second."""

_LOCK_NOW: Final = fcntl.LOCK_EX | fcntl.LOCK_NB


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


def _writer_name() -> str:
    """Unique per process start, and growing with time so that names sort by age."""
    return f"{time.time_ns():x}-{os.getpid():x}"


class SpoolWriter:
    """Appends records to the spool on behalf of this process. Thread-safe, and safe across fork."""

    def __init__(
        self,
        folder: Path,
        service: str,
        *,
        stream: str = "",
        segment_bytes: int,
        max_bytes: int,
        on_dropped: Callable[[SegmentName, int], None] = lambda _name, _records: None,
    ) -> None:
        self._folder = folder
        self._service = service.replace(".", "-") or "app"
        self._stream = stream
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._on_dropped = on_dropped
        self._lock = threading.Lock()
        self._descriptor = -1
        self._size = 0
        self._sequence = 0
        self._writer = ""
        self._next_try = 0.0
        self._next_look = 0.0
        self._torn = False
        os.register_at_fork(after_in_child=self._forget)

    def append(self, line: bytes) -> bool:
        """Write a record or several at once, newlines included. False when they could not be written; nothing of them is left then."""
        with self._lock:
            now = time.monotonic()
            if now >= self._next_look:
                self._look(now)
            if (self._descriptor < 0 or self._size >= self._segment_bytes) and not self._open_next(now):
                return False
            data = b"\n" + line if self._torn else line
            try:
                written = os.write(self._descriptor, data)
            except OSError:
                return False
            self._size += written
            if written == len(data):
                self._torn = False
                return True
            self._undo(written)
            return False

    def sync(self) -> None:
        """Force what was written to disk. Failures are left to the next call."""
        with self._lock:
            descriptor = os.dup(self._descriptor) if self._descriptor >= 0 else -1
        if descriptor >= 0:
            with suppress(OSError):
                os.fdatasync(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Let the segment go, so that it can be delivered to its end and removed."""
        with self._lock:
            self._release(self._descriptor)
            self._descriptor = -1

    def _undo(self, written: int) -> None:
        """Cut off a piece of a record; where that fails, fence it with a newline before the next record."""
        try:
            os.ftruncate(self._descriptor, self._size - written)
            self._size -= written
        except OSError:
            self._torn = True

    def _look(self, now: float) -> None:
        """Notice that the segment was removed under us: what goes into it from here on would be lost."""
        self._next_look = now + REOPEN_SECONDS
        if self._descriptor >= 0 and not os.fstat(self._descriptor).st_nlink:
            self._release(self._descriptor)
            self._descriptor = -1

    def _open_next(self, now: float) -> bool:
        if now < self._next_try:
            return self._descriptor >= 0
        try:
            descriptor = self._create()
        except OSError:
            self._next_try = now + REOPEN_SECONDS
            return self._descriptor >= 0
        finished, self._descriptor = self._descriptor, descriptor
        self._size, self._torn = 0, False
        if finished >= 0:
            self._release(finished)
            threading.Thread(target=self._enforce_bound, name="spool-bound", daemon=True).start()
        return True

    def _create(self) -> int:
        """Make, lock and announce a segment; a name that a reader took away meanwhile is given up for the next."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer = self._writer or _writer_name()
        while True:
            self._sequence += 1
            name = SegmentName(self._writer, self._sequence, self._service, self._stream)
            descriptor = os.open(self._folder / str(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(descriptor, _LOCK_NOW)
                if os.fstat(descriptor).st_nlink:
                    sync_directory(self._folder)
                    return descriptor
            except BlockingIOError:
                pass
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _enforce_bound(self) -> None:
        with suppress(OSError):
            for name, records in drop_beyond(self._folder, self._max_bytes):
                self._on_dropped(name, records)

    def _forget(self) -> None:
        """In a forked child: the segment and its lock are the parent's."""
        self._lock = threading.Lock()
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor, self._writer, self._sequence, self._next_try = -1, "", 0, 0.0

    @staticmethod
    def _release(descriptor: int) -> None:
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def drop_beyond(folder: Path, max_bytes: int) -> Iterator[tuple[SegmentName, int]]:
    """Remove the oldest finished segments until the folder fits its bound; yields each with its count of records.

    Segments that a writer appends to or that the shipper is reading are locked, and stay.
    """
    found = [(status.st_mtime_ns, name, status.st_size) for name in list_segments(folder) if (status := _status(folder / str(name)))]
    excess = sum(size for _, _, size in found) - max_bytes
    for _, name, size in sorted(found):
        if excess <= 0:
            return
        records = _drop(folder / str(name))
        if records is not None:
            excess -= size
            yield name, records


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _drop(path: Path) -> int | None:
    """Count the records of a segment and unlink it; None when somebody holds it or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, _LOCK_NOW)
        records = 0
        while chunk := os.read(descriptor, 1 << 20):
            records += chunk.count(b"\n")
        path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return None
    else:
        return records
    finally:
        os.close(descriptor)
