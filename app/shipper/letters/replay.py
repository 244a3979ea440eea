"""Sends the lines of dead letters once more, and says what became of each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from app.clients.dead_letters import Letter
from app.clients.elasticsearch import BulkClient, UnreachableError
from app.core.config import Settings
from app.core.spool import EVENTS_STREAM, SegmentName
from app.shipper.batch import HEAD_BYTES, daily_index, day_of
from app.shipper.letters.repair import repaired
from app.shipper.verdicts import Verdict, judge_item, judge_request

PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try while Elasticsearch is busy or away; then the command gives up, and the letters stay."""

Fate = Literal["stored", "present", "refused", "damaged"]
"""stored: now in its index · present: it was there already · refused: the index does not take it · damaged: it is no record."""


class ReplayError(Exception):
    """Elasticsearch can't take anything now. One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter's line."""

    letter: Letter
    fate: Fate
    why: str = ""
    moved: tuple[str, ...] = ()
    """Fields that a repair put under `extra`."""

    @property
    def delivered(self) -> bool:
        """The record is in Elasticsearch, so the letter may go."""
        return self.fate in ("stored", "present")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A letter that can be sent."""

    letter: Letter
    index: str
    line: bytes
    moved: tuple[str, ...] = ()


class Addresses:
    """Which index a letter's record belongs into."""

    def __init__(self, settings: Settings) -> None:
        self._prefixes: Final = {"": settings.log_index_prefix, EVENTS_STREAM: settings.effective_events_prefix}

    def prepare(self, letter: Letter, *, repair: bool) -> Prepared | Outcome:
        """The letter made ready, or why it can't be sent at all."""
        raw = letter.text("raw")
        segment = SegmentName.parse(letter.text("segment"))
        stream = segment.stream if segment else ""
        index = letter.text("target_index") or daily_index(self._prefixes[stream], day_of(raw.encode()[:HEAD_BYTES]))
        try:
            whole = isinstance(orjson.loads(raw), dict)
        except ValueError:
            whole = False
        if not whole or "\n" in raw:
            return Outcome(letter, "damaged", "the line is cut off or no JSON object")
        if not index:
            return Outcome(letter, "damaged", "the line does not begin with a timestamp, so it belongs to no index")
        if not repair or stream == EVENTS_STREAM:
            return Prepared(letter, index, raw.encode())
        line, moved = repaired(raw)
        return Prepared(letter, index, line, moved)


class Resender:
    """Sends prepared letters, as nobet_shipper."""

    def __init__(self, client: BulkClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def send(self, prepared: Sequence[Prepared]) -> list[Outcome]:
        """What became of each.

        Raises ReplayError when Elasticsearch takes nothing for long; what it took meanwhile is found present next time.
        """
        found: list[Outcome] = []
        waiting = list(prepared)
        for pause in (*PAUSES, None):
            done, waiting, last = self._once(waiting)
            found += done
            if not waiting:
                return found
            if last.action == "hold":
                raise ReplayError(
                    "Elasticsearch refuses nobet_shipper's credentials or its right to write. "
                    "Check ELASTICSEARCH_SHIPPER_PASSWORD and docker/elasticsearch/roles.yml. The letters stay."
                )
            if pause is not None:
                self._sleep(pause)
        raise ReplayError(f"Elasticsearch does not take records now ({last.detail or last.reason}). The letters stay; try again later.")

    def _once(self, waiting: list[Prepared]) -> tuple[list[Outcome], list[Prepared], Verdict]:
        """One request, or several halves where it is too large. What is decided, what has to wait, and the verdict that says why."""
        try:
            status, answer = self._client.send(waiting[0].index, b"".join(map(_lines, waiting)))
        except UnreachableError as error:
            return [], waiting, Verdict("retry", "connection", detail=str(error))
        if status != 200:
            return self._whole(waiting, judge_request(status, _error(answer)))
        items: list[dict[str, Any]] = orjson.loads(answer)["items"] if not answer.startswith(b'{"errors":false') else []
        if not items:
            return [_outcome(one, judge_item({"create": {"status": 201}})) for one in waiting], [], Verdict("delivered")
        done, left, last = [], [], Verdict("delivered")
        for one, item in zip(waiting, items, strict=True):
            verdict = judge_item(item)
            if verdict.action in ("retry", "hold"):
                left.append(one)
                last = verdict
            else:
                done.append(_outcome(one, verdict))
        return done, left, last

    def _whole(self, waiting: list[Prepared], verdict: Verdict) -> tuple[list[Outcome], list[Prepared], Verdict]:
        if verdict.action != "halve":
            return [], waiting, verdict
        if len(waiting) == 1:
            return [_outcome(waiting[0], verdict)], [], verdict
        middle = len(waiting) // 2
        first, second = self._once(waiting[:middle]), self._once(waiting[middle:])
        return first[0] + second[0], first[1] + second[1], second[2] if second[1] else first[2]


def _lines(one: Prepared) -> bytes:
    return orjson.dumps({"create": {"_index": one.index, "_id": one.letter.ident}}) + b"\n" + one.line + b"\n"


def _outcome(one: Prepared, verdict: Verdict) -> Outcome:
    fates: dict[str, Fate] = {"delivered": "stored", "duplicate": "present"}
    return Outcome(one.letter, fates.get(verdict.action, "refused"), verdict.detail or verdict.error_type or verdict.reason, one.moved)


def _error(answer: bytes) -> Any:
    try:
        return orjson.loads(answer)["error"]
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode("utf-8", "replace")
