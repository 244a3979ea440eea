"""Reading the spool: which segments there are, which of them are finished, and their bytes.

A segment is finished when its lock can be taken: its writer went on to the next
one or is dead, and nobody will append to it. From opening a segment on, also one
that is written, the shipper keeps the readers' mark on it, so that the spool's
bound doesn't drop what is on its way.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from app.core.spool_files import SegmentName, list_segments, take_lock, take_mark

MOST_OPEN: Final = 512
"""Segments read side by side, one of each writer; half of the descriptors that a process usually may open. Further writers wait."""

NEWBORN_SECONDS: Final = 1.0
"""An empty segment younger than this is left alone: its writer has made it and is about to lock it."""


class Segment:
    """One open segment and how far it is read and delivered."""

    __slots__ = ("_descriptor", "delivered", "finished", "lines_under_way", "name", "path", "read", "read_out")

    def __init__(self, folder: Path, name: SegmentName, position: int = 0) -> None:
        """Opens the file. Raises FileNotFoundError when it is gone, or just being dropped."""
        self.name = name
        self.path = folder / str(name)
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        if not take_mark(self._descriptor) or not os.fstat(self._descriptor).st_nlink:
            self.close()
            raise FileNotFoundError(self.path)
        self.read = position
        """Offset up to which lines were handed out."""
        self.delivered = position
        """Offset up to which every line is in Elasticsearch or a dead letter."""
        self.lines_under_way = 0
        """Lines between the two."""
        self.finished = False
        """Nobody will append any more; the lock is ours."""
        self.read_out = False
        """Finished and handed out to its end."""

    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._descriptor).st_size

    def vanished(self) -> bool:
        """Whether somebody unlinked it: the spool's bound dropped it and counted its records."""
        return os.fstat(self._descriptor).st_nlink == 0

    def bytes_at(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end of the file."""
        pieces: list[bytes] = []
        while length > 0 and (piece := os.pread(self._descriptor, length, offset)):
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def at_line_start(self, offset: int) -> bool:
        """Whether a line begins at `offset`, or the file ends there."""
        return offset in (0, self.size()) or self.bytes_at(offset - 1, 1) == b"\n"

    def try_finish(self) -> bool:
        """Take the lock if its writer has let it go. True when the segment is finished."""
        if not self.finished and not self._newborn():
            self.finished = take_lock(self._descriptor)
        return self.finished

    def close(self) -> None:
        """Give the descriptor and the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _newborn(self) -> bool:
        status = os.fstat(self._descriptor)
        return status.st_size == 0 and time.time() - status.st_mtime < NEWBORN_SECONDS


class SegmentQueue:
    """All segments of the spool: the oldest of each writer is open, the others wait in order."""

    def __init__(
        self,
        folder: Path,
        positions: dict[str, int],
        on_bad_position: Callable[[SegmentName], None] = lambda _name: None,
    ) -> None:
        self._folder = folder
        self._saved = dict(positions)
        self._on_bad_position = on_bad_position
        self._waiting: dict[str, list[SegmentName]] = {}
        self._current: dict[str, Segment] = {}
        self._read_out: dict[SegmentName, Segment] = {}
        self._turn: dict[str, None] = {}

    def scan(self) -> None:
        """Look at the folder: new segments join, segments that were dropped leave, finished ones get our lock."""
        waiting: dict[str, list[SegmentName]] = {}
        for name in list_segments(self._folder):
            if name not in self._read_out:
                waiting.setdefault(name.writer, []).append(name)
        for writer, segment in list(self._current.items()):
            if segment.vanished():
                self._forget(segment)
            else:
                segment.try_finish()
                waiting[writer] = [name for name in waiting.get(writer, []) if name > segment.name]
        self._waiting = waiting
        newcomers = sorted(waiting.keys() - self._turn.keys())
        self._turn = dict.fromkeys([*(writer for writer in self._turn if writer in waiting), *newcomers])

    def in_turn(self) -> Iterator[Segment]:
        """The segments to read now, one of each writer, beginning behind the writer that was read last."""
        for writer in list(self._turn):
            segment = self._current.get(writer) or self._open_next(writer)
            if segment is not None:
                del self._turn[writer]
                self._turn[writer] = None
                yield segment

    def finish_reading(self, segment: Segment) -> Segment | None:
        """The segment is handed out to its end: the writer's next one, if there is one."""
        segment.read_out = True
        self._read_out[segment.name] = segment
        del self._current[segment.name.writer]
        return self._open_next(segment.name.writer)

    def delivered(self) -> list[Segment]:
        """Segments of which nothing is left to do but to remove them."""
        return [segment for segment in self._read_out.values() if segment.delivered >= segment.read]

    def remove(self, segment: Segment) -> None:
        """Unlink a delivered segment. Its position must be durable before, and the folder synced after."""
        segment.path.unlink(missing_ok=True)
        self._forget(segment)

    def open_segments(self) -> list[Segment]:
        """Every segment that is open, read out or not."""
        return [*self._read_out.values(), *self._current.values()]

    def positions(self) -> dict[str, int]:
        """How far each segment is delivered, by file name: what must outlive this process."""
        waiting = {str(name) for names in self._waiting.values() for name in names}
        kept = {name: offset for name, offset in self._saved.items() if name in waiting}
        return kept | {str(segment.name): segment.delivered for segment in self.open_segments() if segment.delivered}

    def waiting_names(self) -> list[SegmentName]:
        """Segments that nobody has begun to read."""
        return [name for names in self._waiting.values() for name in names]

    def close(self) -> None:
        """Close every descriptor."""
        for segment in self.open_segments():
            segment.close()
        self._current.clear()
        self._read_out.clear()

    def _open_next(self, writer: str) -> Segment | None:
        names = self._waiting.get(writer, [])
        while names and len(self._current) < MOST_OPEN:
            name = names.pop(0)
            position = self._saved.pop(str(name), 0)
            try:
                segment = Segment(self._folder, name, position)
            except FileNotFoundError:
                if position:
                    self._saved[str(name)] = position  # it comes back when it was not dropped after all
                continue
            if not segment.at_line_start(position):
                self._on_bad_position(name)
                segment.read = segment.delivered = 0
            segment.try_finish()
            self._current[writer] = segment
            return segment
        return None

    def _forget(self, segment: Segment) -> None:
        self._read_out.pop(segment.name, None)
        if self._current.get(segment.name.writer) is segment:
            del self._current[segment.name.writer]
        segment.close()
