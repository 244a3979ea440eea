"""The requests, sessions and runs in a heap of records: when each began, how it ended, which of them the user made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.core.requests import OUTCOME_EVENTS
from app.stack.story.text import moment

STARTS: Final = frozenset({"http.request.started", "websocket.opened"})
ENDS: Final = frozenset({*OUTCOME_EVENTS.values(), "websocket.closed"})
GOING_AWAY: Final = frozenset({1000, 1001, 1005})
"""Close codes of WebSockets that ended as one side wished (RFC 6455, 7.4.1)."""

_CLOCK_SECONDS: Final = 0.05
"""Services of one machine share a clock; their records are written a moment after what they tell of."""


@dataclass(slots=True)
class Unit:
    """One request or one WebSocket, from its first to its last record."""

    service: str
    request_id: str
    method: str
    path: str
    endpoint: str
    start: float
    end: float
    outcome: str
    """completed, failed, cancelled, timed_out; `unfinished` when no terminal record is there."""
    status: int | None = None
    close_code: int | None = None
    record: dict[str, Any] | None = None
    trace_id: str = ""

    @property
    def seconds(self) -> float:
        """How long it took, or how long it has been heard of."""
        return max(0.0, self.end - self.start)

    @property
    def is_websocket(self) -> bool:
        """Whether it is a connection, not a request."""
        return self.method == "WEBSOCKET"

    @property
    def badness(self) -> int:
        """How bad it is: 0 fine, 1 the client's doing, 2 odd, 3 our failure."""
        if self.outcome in ("failed", "timed_out") or (self.status or 0) >= 500 or self.close_code == 1011:
            return 3
        if self.outcome in ("unfinished", "cancelled") or self.close_code == 1006:
            return 2
        refused = (self.status or 0) >= 400 or (self.close_code is not None and self.close_code not in GOING_AWAY)
        return 1 if refused else 0


def units_of(records: Sequence[dict[str, Any]]) -> list[Unit]:
    """Every request and WebSocket in the records, in the order of their beginnings."""
    open_ones: dict[tuple[str, str], dict[str, Any]] = {}
    units: list[Unit] = []
    for record in records:
        # The span is the request's own, while a WebSocket may take its client's id after it was opened.
        key = (str(record.get("service_name")), str(record.get("span_id") or record.get("request_id")))
        event = record.get("event")
        if event in STARTS:
            open_ones[key] = record
        elif event in ENDS:
            start = open_ones.pop(key, None)
            units.append(_unit(record, start, moment(record)))
    newest = moment(records[-1]) if records else 0.0
    units += [_unit(None, start, newest) for start in open_ones.values()]
    return sorted(units, key=lambda unit: unit.start)


def entries(units: Sequence[Unit]) -> list[Unit]:
    """Those that came from outside: not made by another service of ours while it answered one of them."""
    return [unit for unit in units if not any(_contains(other, unit) for other in units)]


def _contains(outer: Unit, inner: Unit) -> bool:
    return (
        outer.service != inner.service
        and outer.trace_id == inner.trace_id
        and outer.seconds > inner.seconds
        and outer.start - _CLOCK_SECONDS <= inner.start
        and inner.end <= outer.end + _CLOCK_SECONDS
    )


def _unit(end: dict[str, Any] | None, start: dict[str, Any] | None, last: float) -> Unit:
    record = end or start or {}
    took = record.get("duration_ms") if end else None
    began = moment(start) if start else last - float(took or 0) / 1000
    endpoint = str(record.get("endpoint") or record.get("path") or "?")
    return Unit(
        service=str(record.get("service_name", "?")),
        request_id=str(record.get("request_id", "")),
        method=str(record.get("method", "?")),
        path=str(record.get("path", "?")),
        endpoint=endpoint,
        start=began,
        end=last,
        outcome=str(record.get("outcome") or "completed") if end else "unfinished",
        status=_whole(record.get("status_code")) if end else None,
        close_code=_whole(record.get("close_code")) if end else None,
        record=end,
        trace_id=str(record.get("trace_id") or ""),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
