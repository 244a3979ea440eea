"""The spool: append-only files between the request path and the shipper.

Format
    One flat folder. A segment is `<service>.<writer>.<sequence>.ndjson`, or with
    `.events.ndjson` one of tracked events, which go to indices of their own. Writer
    names are unique per process start, sequence numbers grow by one. A segment
    holds whole lines, each a JSON object that begins `{"timestamp":"<26 characters>Z"`.
    The shipper's positions and lock are in the folder `.shipper` (`spool_positions`),
    the writers' own counts of their records in `.written` (`spool_tally`).

Invariants
    1. One writer per segment, one write(2) per record: what was written survives `kill -9`.
    2. A writer holds flock(LOCK_EX) on the segment that it appends to. Whoever
       gets that lock knows that nobody will ever append again.
    3. The next segment is open and locked, and its name on disk, before the last is let go.
    4. Bytes are never changed in place. A write that came out short is cut off
       again at once; where even that fails, the torn piece ends at the next newline.
    5. The caller never gets an exception, and never waits for a lock of another
       process, for fsync or for the network.
    6. A segment that somebody reads is never dropped (`spool_files`: the readers' mark).

Bound
    Beyond `max_bytes` the oldest finished segment that nobody reads is dropped, and
    its undelivered records are counted (`spool_drop`). The look happens when a
    segment is closed, in a thread of its own. So the folder may exceed the bound
    by the segments that are being written or read.

Recovery
    Nothing has to be repaired at a start: a dead writer's lock is free, so its
    segments are finished; a new process writes new ones; a torn last line is cut
    and counted by the shipper. A folder that is full or gone makes `append` return
    False; the caller writes the record elsewhere. Each later record tries again, at
    most once a second when a new segment must be opened, so that the spool comes
    back by itself.

Durability
    Written: after `append` returned True (survives the death of the process).
    Durable (survives power loss): by the policy SPOOL_FSYNC.
    off       when the kernel writes it out, usually within 30 s;
    segment   a segment that is finished, when it is closed;
    interval  that, and what was written, every SPOOL_FSYNC_SECONDS.
    The names of segments are forced to disk under each policy.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from app.core.spool_drop import drop_beyond
from app.core.spool_files import EVENTS_STREAM, SegmentName, list_segments, sync_directory, take_lock
from app.core.spool_sync import Interval, start_thread
from app.core.spool_tally import Tally, writer_file

__all__ = ["EVENTS_STREAM", "FsyncPolicy", "SegmentName", "SpoolWriter", "drop_beyond", "list_segments", "sync_directory"]

CLOSE_SECONDS: Final = 5.0
"""Longest wait for each segment that is still being forced to disk when the writer is closed."""

FsyncPolicy = Literal["off", "segment", "interval"]

REOPEN_SECONDS: Final = 1.0
"""Shortest pause between two tries to open a segment, so that a full disk costs one system call a second."""


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
        fsync: FsyncPolicy = "off",
        fsync_seconds: float = 1.0,
        on_dropped: Callable[[SegmentName, int], None] = lambda _name, _records: None,
    ) -> None:
        self._folder = folder
        self._service = service.replace(".", "-") or "app"
        self._stream = stream
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._interval = Interval(self.sync, fsync_seconds)
        self._on_dropped = on_dropped
        self._lock = threading.Lock()
        self._descriptor = -1
        self._size = 0
        self._sequence = 0
        self._writer = ""
        self._next_try = 0.0
        self._next_look = 0.0
        self._torn = False
        self._lines = 0
        """Lines written since the tally was last told."""
        self._tally: Tally | None = None
        self._synced = (0, 0)
        """Segment and size at the last sync."""
        self._finishing: dict[int, threading.Thread] = {}
        """Descriptors of finished segments that are still to be let go, and who does it."""
        self._beside: set[threading.Thread] = set()
        """Who finishes segments and looks at the bound now."""
        os.register_at_fork(after_in_child=self._forget)

    def append(self, line: bytes, records: int = 1) -> bool:
        """Write a record, or several at once, newlines included. False when they could not be written; nothing of them is left then."""
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
                self._lines += records + self._torn  # the fence makes a line of the torn piece
                self._torn = False
                return True
            self._undo(data[:written])
            return False

    def sync(self) -> None:
        """Force what was written to disk. Failures are left to the next call."""
        with self._lock:
            state = (self._sequence, self._size)
            descriptor = os.dup(self._descriptor) if self._descriptor >= 0 and state != self._synced else -1
        if descriptor >= 0:
            with suppress(OSError):
                sync_directory(self._folder)
                os.fdatasync(descriptor)
                self._synced = state
            os.close(descriptor)

    def close(self) -> None:
        """Let the segment go, so that it can be delivered to its end and removed."""
        self._interval.stop()
        if self._fsync != "off":
            self.sync()
        with self._lock:
            self._count(self._sequence)
            self._release(self._descriptor)
            self._descriptor = -1
            beside = list(self._beside)
        for thread in beside:
            thread.join(CLOSE_SECONDS)
        with self._lock:
            if self._descriptor < 0 and self._tally is not None:
                self._tally.close()
                self._tally, self._writer = None, ""  # whoever writes on is a new writer, whose counts begin at 0

    def _undo(self, piece: bytes) -> None:
        """Cut off a piece of a record; where that fails, fence it with a newline before the next record."""
        try:
            os.ftruncate(self._descriptor, self._size - len(piece))
            self._size -= len(piece)
        except OSError:
            self._torn = not piece.endswith(b"\n")
            self._lines += piece.count(b"\n")

    def _count(self, upto: int) -> None:
        """Tell the tally what is in the segments that are finished. Before their lock is let go, so that nobody counts them instead."""
        if self._tally is not None:
            self._tally.finished(upto, self._lines)
            self._lines = 0

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
        self._count(self._sequence - 1)
        finished, self._descriptor = self._descriptor, descriptor
        self._size, self._torn = 0, False
        if self._fsync == "interval":
            self._interval.start()
        thread = start_thread("spool-finish", self._finish, finished)
        if thread is not None:
            self._finishing[finished] = thread  # taken out again under the lock that we hold
            self._beside.add(thread)
        else:
            self._release(finished)
        return True

    def _finish(self, finished: int) -> None:
        """Beside the caller's path: the new segment's name to disk, the last one's bytes too, then let that go and look at the bound."""
        with suppress(OSError):
            sync_directory(self._folder)
        if finished >= 0 and self._fsync != "off":
            with suppress(OSError):
                os.fdatasync(finished)
        with self._lock:
            self._finishing.pop(finished, None)
            self._release(finished)
        if finished >= 0:
            self._enforce_bound()
        with self._lock:
            self._beside.discard(threading.current_thread())

    def _create(self) -> int:
        """Make and lock a segment; a name that a reader took away meanwhile is given up for the next."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer = self._writer or _writer_name()
        while True:
            self._sequence += 1
            name = SegmentName(self._writer, self._sequence, self._service, self._stream)
            if self._tally is None:
                self._tally = Tally(self._folder, writer_file(name))
            descriptor = os.open(self._folder / str(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            try:
                if take_lock(descriptor) and os.fstat(descriptor).st_nlink:
                    return descriptor
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _enforce_bound(self) -> None:
        with suppress(OSError):
            tally = self._tally
            for name, records in drop_beyond(self._folder, self._max_bytes, tally.settle if tally else lambda _name: None):
                if tally is not None:
                    tally.dropped(records)
                self._on_dropped(name, records)

    def _forget(self) -> None:
        """In a forked child: the segments and their locks are the parent's, and there are no threads."""
        self._lock = threading.Lock()
        for descriptor in {self._descriptor, *self._finishing}:
            self._release(descriptor)
        self._finishing, self._beside = {}, set()
        self._interval.forget()
        if self._tally is not None:
            self._tally.close()
        self._tally, self._lines = None, 0
        self._descriptor, self._writer, self._sequence, self._next_try = -1, "", 0, 0.0

    @staticmethod
    def _release(descriptor: int) -> None:
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)
