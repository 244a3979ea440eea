"""Dead letters: lines that can't be stored as records, kept whole with the reason.

They go to `dead-….YYYY.MM.DD` under the id that the record would have had, so that
a letter that is sent again is stored once. Day and id come from the line and its
place alone, never from the clock.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.core.spool_files import SegmentName
from app.shipper.batch import HEAD_BYTES, RECORD_START, daily_index, day_of, document_id

TIMESTAMP_BYTES: Final = len("2026-11-22T02:15:04.123456Z")
COPIED_FIELDS: Final = ("service_name", "request_id", "client_request_id", "trace_id", "call_sid")
"""Fields that a refused record is found by; copied when the line is valid JSON."""

MOST_RAW_CHARS: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line, where it stood, and why it was given up."""

    segment: SegmentName
    offset: int
    raw: bytes
    reason: str
    status: int = 0
    error_type: str = ""
    error_message: str = ""
    target_index: str = ""

    def index(self, prefix: str) -> str:
        """Its index: the day of the record, or of its writer's start when the line names none."""
        return daily_index(prefix, day_of(self.raw[:HEAD_BYTES]) or _writer_day(self.segment.writer))

    def lines(self, index: str) -> bytes:
        """Action and document for a bulk body."""
        action = {"create": {"_index": index, "_id": document_id(self.segment, self.offset)}}
        return orjson.dumps(action) + b"\n" + orjson.dumps(self._document()) + b"\n"

    def _document(self) -> dict[str, Any]:
        text = self.raw.decode("utf-8", "replace")
        document: dict[str, Any] = {
            "timestamp": self._timestamp(),
            "dead_at": _iso(dt.datetime.now(dt.UTC)),
            "reason": self.reason,
            "error_type": self.error_type,
            "error_message": self.error_message,
            "target_index": self.target_index,
            "document_id": document_id(self.segment, self.offset),
            "segment": str(self.segment),
            "raw": text[:MOST_RAW_CHARS],
        }
        if self.status:
            document["status"] = self.status
        return document | _found_by(self.raw)

    def _timestamp(self) -> str:
        stamp = self.raw[len(RECORD_START) : len(RECORD_START) + TIMESTAMP_BYTES]
        try:
            if day_of(self.raw[:HEAD_BYTES]):
                return _iso(dt.datetime.fromisoformat(stamp.decode("ascii")))
        except (ValueError, OverflowError):
            pass
        return _iso(dt.datetime.combine(_writer_day(self.segment.writer), dt.time(), dt.UTC))


def is_json(raw: bytes) -> bool:
    """Whether the line is a JSON object at all: a refused one that is not was damaged, not rejected."""
    try:
        return isinstance(orjson.loads(raw), dict)
    except ValueError:
        return False


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _found_by(raw: bytes) -> dict[str, str]:
    try:
        record = orjson.loads(raw)
    except ValueError:
        return {}
    if not isinstance(record, dict):
        return {}
    return {name: value for name in COPIED_FIELDS if isinstance(value := record.get(name), str)}


def _writer_day(writer: str) -> dt.date:
    """The day on which the writer started; its name begins with that time in hexadecimal nanoseconds."""
    try:
        return dt.datetime.fromtimestamp(int(writer.partition("-")[0], 16) / 1e9, dt.UTC).date()
    except (ValueError, OverflowError, OSError):
        return dt.date(1970, 1, 1)
