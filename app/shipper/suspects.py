"""Documents that Elasticsearch answers with 500 each time: told from a store that is ill, and given up in the end.

A 500 may be the document's fault or the server's. It counts against the document
only when the same index took another one since the document's last try: a
neighbour in the same request, a witness (a neighbour that is stored already and
is sent along; its 409 proves that the index works), or anything in another
request. After the stated number of such tries the document becomes a dead letter
with the reason `server_error`. An index that takes nothing costs no document
anything, and neither do 502, 503 and 504, which speak of shards and gateways.
"""

import threading
from collections import Counter
from typing import Final

from app.shipper.parts import Part, index_of
from app.shipper.verdicts import Verdict

SUSPECT_STATUS: Final = 500
WITNESSES: Final = 3
"""Neighbours of each index that are sent along; more than one, because an index may have several shards."""

WHOLE_REFUSALS: Final = 3
"""Tries of a request that is answered with 500 as a whole, while others are taken, before it is searched for the culprit."""


class TakenCount:
    """How many requests with something taken each index has seen, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def add(self, index: str) -> None:
        """The index took documents."""
        with self._lock:
            self._taken[index] += 1
            if len(self._taken) > 1000:
                del self._taken[next(iter(self._taken))]

    def get(self, index: str) -> int:
        """A number that changes whenever the index takes something."""
        return self._taken[index]


class Suspects:
    """What one delivery knows about documents that were answered with 500."""

    def __init__(self, taken: TakenCount, tries: int) -> None:
        self._taken = taken
        self._tries = tries
        self._counts: Counter[bytes] = Counter()
        self._seen: dict[bytes, int] = {}
        self._witnesses: dict[str, list[bytes]] = {}

    def judge(self, part: Part, verdicts: list[Verdict]) -> list[Verdict]:
        """The verdicts on the counted items; those that were tried often enough are dead."""
        own = verdicts[: part.count]
        if part.letters or not any(verdict.status == SUSPECT_STATUS and verdict.action == "retry" for verdict in own):
            return own
        lines = part.body.split(b"\n")
        good: dict[str, list[int]] = {}
        for item, verdict in enumerate(verdicts):
            if verdict.action in ("delivered", "duplicate"):
                good.setdefault(index_of(lines[2 * item], part.index), []).append(item)
        for index, items in good.items():
            chosen = items[-WITNESSES:]
            self._witnesses[index] = [lines[2 * item] + b"\n" + lines[2 * item + 1] + b"\n" for item in chosen]
        return [
            self._judge(lines[2 * item], verdict, index_of(lines[2 * item], part.index), good)
            if verdict.status == SUSPECT_STATUS and verdict.action == "retry"
            else verdict
            for item, verdict in enumerate(own)
        ]

    def _judge(self, action: bytes, verdict: Verdict, index: str, good: dict[str, list[int]]) -> Verdict:
        seen = self._taken.get(index)
        if index in good or self._seen.get(action, seen) != seen:
            self._counts[action] += 1
        self._seen[action] = seen
        if self._counts[action] < self._tries:
            return verdict
        return Verdict("dead", "server_error", verdict.status, verdict.error_type, verdict.detail)

    def accompany(self, part: Part) -> Part:
        """Send witnesses along when nothing but suspects is left of a request."""
        if not self._seen or part.letters or part.witnesses:
            return part
        actions = part.body.split(b"\n")[0:-1:2]
        if not all(action in self._seen for action in actions):
            return part
        indices = dict.fromkeys(index_of(action, part.index) for action in actions)
        return part.with_witnesses([line for index in indices for line in self._witnesses.get(index, [])])

    def refused_whole(self, part: Part) -> bool:
        """A request was answered with 500 as a whole. True when it is time to search it for the culprit, or to give its only item up."""
        seen = self._taken.get(part.index)
        if part.seen not in (-1, seen):
            part.refusals += 1
        part.seen = seen
        return part.refusals >= (WHOLE_REFUSALS if part.count > 1 else self._tries)
