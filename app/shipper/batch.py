"""From segments to bulk bodies: lines are copied as they are, never parsed.

A record begins `{"timestamp":"2026-11-22`; those 24 bytes prove that it is one and,
with the stream of its segment (log records or tracked events), name its index.
The `_id` is made from writer, segment and byte offset: the same bytes always get
the same id, and ids grow with the position, which is the cheap case for Elasticsearch.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Final, Literal

import orjson

from app.core.spool_files import EVENTS_STREAM, SegmentName
from app.shipper.segments import Segment, SegmentQueue
from app.shipper.sizing import BatchSize

RECORD_START: Final = b'{"timestamp":"'
HEAD_BYTES: Final = len(RECORD_START) + len("2026-11-22")
EARLIEST_YEAR: Final = 2000
LATEST_YEAR: Final = 2261
"""The last whole year that a date_nanos field can hold; records outside would make indices that nothing can fill."""

LEAST_READ: Final = 64 * 1024
"""Bytes of the smallest read; a record of ours is at most this long unless LOG_MAX_RECORD_BYTES was raised."""

DEAD_RAW_BYTES: Final = 1024 * 1024
"""So much of a line that is longer than a whole batch may be goes into its dead letter."""

_DAYS_KEPT: Final = 1000

RejectReason = Literal["malformed", "too_large"]


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is not sent as a document."""

    segment: SegmentName
    offset: int
    raw: bytes
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class Span:
    """Everything of one segment up to `end`, once the batch is delivered; `lines` of it are in this batch."""

    segment: Segment
    end: int
    lines: int


@dataclass(slots=True)
class Batch:
    """Lines on their way to Elasticsearch."""

    index: str = ""
    """Index of the bulk request's address; actions of other days name theirs."""
    body: bytes = b""
    count: int = 0
    rejects: list[Reject] = field(default_factory=list)
    torn: list[SegmentName] = field(default_factory=list)
    """Segments that ended in the middle of a line."""
    spans: list[Span] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Nothing to do, not even a position to move."""
        return not self.spans


def document_id(name: SegmentName, offset: int) -> str:
    """The `_id` of the line at `offset`: stable over restarts, unique, growing with the position."""
    return f"{name.writer}-{name.sequence:08d}-{offset:010x}"


class BatchBuilder:
    """Fills batches from the segments in turn."""

    def __init__(
        self, index_prefix: str, *, events_prefix: str = "events", most_docs: int, most_bytes: int, size: BatchSize | None = None
    ) -> None:
        """Without a `size` that adapts, every batch may have `most_docs`."""
        self._prefixes = {"": index_prefix, EVENTS_STREAM: events_prefix}
        self._size = size or BatchSize(most_docs, first=most_docs)
        self._most_bytes = most_bytes
        self._indices: dict[tuple[str, bytes], str] = {}
        self._mean_line = 512.0
        self._reset()

    def build(self, queue: SegmentQueue) -> tuple[Batch, bool]:
        """The next batch, and whether it is full: then there may be more to read right away."""
        self._reset()
        for segment in queue.in_turn():
            current: Segment | None = segment
            while current is not None and not self._full:
                if self._take(current):
                    continue
                if not current.try_finish():
                    break
                if self._take(current):  # what was written between the last read and the lock
                    continue
                self._cut_torn(current)
                current = queue.finish_reading(current)
            if self._full:
                break
        return self._finish(), self._full

    def _reset(self) -> None:
        self._most_docs = self._size.docs
        self._batch = Batch()
        self._parts: list[bytes] = []
        self._bytes = 0
        self._full = False
        self._spans: dict[Segment, Span] = {}

    def _finish(self) -> Batch:
        batch = self._batch
        if self._parts:
            batch.body = b"\n".join([*self._parts, b""])
            self._mean_line = 0.5 * self._mean_line + 0.5 * self._bytes / batch.count
        batch.spans = list(self._spans.values())
        self._parts, self._spans = [], {}
        return batch

    def _take(self, segment: Segment) -> bool:
        """Copy whole lines of a segment into the batch. False when it has none (yet)."""
        docs_left = self._most_docs - self._batch.count - len(self._batch.rejects)
        bytes_left = self._most_bytes - self._bytes
        wanted = min(bytes_left, max(LEAST_READ, int(self._mean_line * docs_left * 1.2)))
        chunk = segment.bytes_at(segment.read, wanted)
        whole = chunk.rfind(b"\n") + 1
        if not whole:
            return self._take_long(segment, len(chunk) == wanted)
        lines = chunk[:whole].split(b"\n", docs_left)
        del lines[-1]  # what follows the last newline, or the lines beyond the limit
        self._copy(segment, lines)
        self._full = self._batch.count + len(self._batch.rejects) >= self._most_docs or self._bytes >= self._most_bytes
        return True

    def _take_long(self, segment: Segment, more: bool) -> bool:
        """The first line doesn't fit what was read: read on, send it in a batch of its own, or give it up as too large."""
        if not more:
            return False
        if self._parts or self._batch.rejects:
            self._full = True
            return True
        chunk = segment.bytes_at(segment.read, self._most_bytes)
        whole = chunk.find(b"\n") + 1
        if whole:
            self._copy(segment, [chunk[: whole - 1]])
        elif len(chunk) < self._most_bytes or not (end := _line_end(segment, segment.read + len(chunk))):
            return False
        else:
            detail = f"the line has {end - segment.read} bytes, a bulk request at most {self._most_bytes}"
            self._batch.rejects.append(Reject(segment.name, segment.read, chunk[:DEAD_RAW_BYTES], "too_large", detail))
            self._move(segment, end, 1)
        self._full = True
        return True

    def _copy(self, segment: Segment, lines: list[bytes]) -> None:
        """The hot loop: an action and the line itself for each record."""
        append = self._parts.append
        actions: dict[bytes, bytes] = {}
        offset = segment.read
        rejected = 0
        for line in lines:
            head = line[:HEAD_BYTES]
            action = actions.get(head)
            if action is None:
                index = self._index_of(segment.name.stream, head)
                if not index:
                    rejected += 1
                    self._reject(segment, offset, line)
                    offset += len(line) + 1
                    continue
                action = actions[head] = self._action(segment.name, index)
            append(action % offset)
            append(line)
            offset += len(line) + 1
        self._batch.count += len(lines) - rejected
        self._bytes += offset - segment.read
        self._move(segment, offset, len(lines))

    def _move(self, segment: Segment, offset: int, lines: int) -> None:
        before = self._spans.get(segment)
        self._spans[segment] = Span(segment, offset, lines + (before.lines if before else 0))
        segment.read = offset
        segment.lines_under_way += lines

    def _reject(self, segment: Segment, offset: int, line: bytes) -> None:
        if line:
            self._batch.rejects.append(Reject(segment.name, offset, line, "malformed", "the line does not begin like a record"))

    def _cut_torn(self, segment: Segment) -> None:
        """A finished segment's last piece without a newline: its write never ended, so it is no record."""
        size = segment.size()
        if size > segment.read:
            self._batch.torn.append(segment.name)
            self._move(segment, size, 0)

    def _action(self, name: SegmentName, index: str) -> bytes:
        """The action line for records of one day, with a place for the offset."""
        if not self._batch.index:
            self._batch.index = index
        target = {} if index == self._batch.index else {"_index": index}
        action = orjson.dumps({"create": {**target, "_id": f"{name.writer}-{name.sequence:08d}-"}})
        return action.replace(b"%", b"%%").removesuffix(b'"}}') + b'%010x"}}'

    def _index_of(self, stream: str, head: bytes) -> str:
        """The index for records of a stream that begin so; empty when no record does."""
        index = self._indices.get((stream, head))
        if index is None:
            if len(self._indices) >= _DAYS_KEPT:
                self._indices.clear()
            index = self._indices[stream, head] = daily_index(self._prefixes[stream], day_of(head))
        return index


def day_of(line: bytes) -> dt.date | None:
    """The day of the record that begins so, or None when it is no record."""
    if not line.startswith(RECORD_START):
        return None
    try:
        day = dt.date.fromisoformat(line[len(RECORD_START) : HEAD_BYTES].decode("ascii"))
    except ValueError:
        return None
    return day if EARLIEST_YEAR <= day.year <= LATEST_YEAR else None


def daily_index(prefix: str, day: dt.date | None) -> str:
    """`prefix-YYYY.MM.DD`, or nothing without a day."""
    return f"{prefix}-{day:%Y.%m.%d}" if day else ""


def _line_end(segment: Segment, offset: int) -> int:
    """The offset behind the next newline from `offset` on, or 0 when there is none; holds one piece at a time."""
    while piece := segment.bytes_at(offset, 1 << 20):
        newline = piece.find(b"\n")
        if newline >= 0:
            return offset + newline + 1
        offset += len(piece)
    return 0
