"""What a story comes to, in a few lines: LOG-24's questions, answered from the stores alone.

Which error, which place in the code, which user, which request, how long it has been failing.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from app.clients.jaeger import TraceSpan
from app.clients.log_search import Earlier
from app.stack.story.text import moment
from app.stack.story.times import Share, longest_silence, shares
from app.stack.story.units import ENDS, Unit, entries, units_of

Kind = Literal["request", "requests", "websocket", "call", "run", "records"]

_FRAME: Final = re.compile(r'^\s*File "([^"]+)", line (\d+), in (\S+)', re.MULTILINE)
_LIBRARIES: Final = ("site-packages", "/lib/python", ".pyx", "<")
"""Compiled libraries name their source without its folder; made code has a name in angle brackets."""

_FAILURE_LEVELS: Final = frozenset({"ERROR", "CRITICAL"})


@dataclass(slots=True)
class FirstError:
    """The first sign of trouble, and its place in the code as far as records tell."""

    event: str
    message: str
    level: str
    service: str
    at: float
    error_type: str = ""
    error_message: str = ""
    error_code: str = ""
    reason: str = ""
    location: str = ""


@dataclass(slots=True)
class Verdict:
    """The short answer at the top of a story."""

    kind: Kind
    outcome: str
    status: int | None
    started: float
    seconds: float
    units: list[Unit] = field(default_factory=list)
    """What came from outside, in time order; requests between our services are not in it."""
    worst: Unit | None = None
    time: list[Share] = field(default_factory=list)
    silence: tuple[str, str, float] | None = None
    """Without spans: the longest pause, as what was before, what came after, seconds."""
    first_error: FirstError | None = None
    component: str = ""
    """Of a run in the background: what ran."""
    user_ids: list[str] = field(default_factory=list)
    earlier: Earlier | None = None
    """How the same failure fared in the hour before; None when nothing failed."""

    @property
    def is_failure(self) -> bool:
        """Whether it ended badly, by our doing or the client's."""
        return self.badness > 0

    @property
    def badness(self) -> int:
        """That of the worst request; of a run without requests, 3 when it has an error."""
        if self.worst is not None:
            return self.worst.badness
        return 3 if self.first_error is not None else 0


def judge(ident: str, records: Sequence[dict[str, Any]], spans: Sequence[TraceSpan]) -> Verdict | None:
    """The verdict about some records in time order, without `earlier`; None without records."""
    if not records:
        return None
    units = entries(units_of(records))
    worst = max(units, key=lambda unit: unit.badness, default=None)
    started = min([moment(records[0]), *(unit.start for unit in units)])
    ended = max([moment(records[-1]), *(unit.end for unit in units)])
    time = shares(spans)
    silence = None if time else longest_silence(records)
    users = Counter(str(record["user_id"]) for record in records if record.get("user_id"))
    return Verdict(
        kind=_kind(ident, records, units),
        outcome=worst.outcome if worst else "",
        status=worst.status if worst else None,
        started=started,
        seconds=units[0].seconds if len(units) == 1 else max(0.0, ended - started),
        units=units,
        worst=worst,
        time=time,
        silence=(_named(silence[0]), _named(silence[1]), silence[2]) if silence else None,
        first_error=_first_error(records, worst),
        component=_told(records, "component"),
        user_ids=list(users),
    )


def _kind(ident: str, records: Sequence[dict[str, Any]], units: Sequence[Unit]) -> Kind:
    if any(record.get("call_sid") == ident for record in records):
        return "call"
    if len(units) > 1:
        return "requests"
    if units:
        return "websocket" if units[0].is_websocket else "request"
    return "run" if any(record.get("component") for record in records) else "records"


def _first_error(records: Sequence[dict[str, Any]], worst: Unit | None) -> FirstError | None:
    """The first ERROR; where there is none and it ended badly, the first WARNING.

    The place may stand on a later record of the same failure, the traceback's or the terminal one.
    """
    levels = _FAILURE_LEVELS if any(record.get("level") in _FAILURE_LEVELS for record in records) else frozenset({"WARNING"})
    if "WARNING" in levels and (worst is None or worst.badness == 0):
        return None
    suspects = [record for record in records if record.get("level") in levels or str(record.get("event")) == "error.traceback"]
    first = next((record for record in suspects if record.get("level") in levels), None)
    if first is None or (first.get("level") == "WARNING" and first.get("event") in ENDS):
        return None  # that it ended so is in the headline already
    # A warning of the same request that came first is nearer to the cause than the terminal record's ERROR.
    if str(first.get("event", "")).startswith("http.request.") and not first.get("error_type"):
        # What the other service says of our hanging up on it (an end, too) is the consequence of our own time limit.
        first = next((record for record in records if record.get("level") == "WARNING" and record.get("event") not in ENDS), first)
    told = [first, *suspects]
    return FirstError(
        event=str(first.get("event") or ""),
        message=str(first.get("message") or ""),
        level=str(first.get("level")),
        service=str(first.get("service_name", "?")),
        at=moment(first),
        error_type=_told(told, "error_type"),
        error_message=_told(told, "error_message"),
        error_code=str(first.get("error_code") or ""),
        reason=str(first.get("reason") or ""),
        location=_place(told),
    )


def _place(records: Sequence[dict[str, Any]]) -> str:
    """Where it was raised; for an error out of a library, the innermost place of our own code that a traceback shows."""
    place = _told(records, "error_location")
    if place and not any(mark in place.rpartition(":")[0] for mark in _LIBRARIES):
        return place
    frames = [frame for record in records for frame in _FRAME.findall(str(record.get("traceback") or ""))]
    own = [frame for frame in frames if not any(mark in frame[0] for mark in _LIBRARIES)]
    return f"{own[-1][0].rpartition('/app/')[2]}:{own[-1][1]} in {own[-1][2]}" if own else place


def _told(records: Sequence[dict[str, Any]], name: str) -> str:
    return next((str(record[name]) for record in records if record.get(name)), "")


def _named(record: dict[str, Any]) -> str:
    return str(record.get("event") or record.get("message") or "a record")
