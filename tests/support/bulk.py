"""A stand-in for Elasticsearch's `_bulk`, for answers and deaths that a real node won't give on demand."""

import json
import threading
from collections.abc import Callable
from typing import Any

Answer = tuple[int, bytes]
Item = Callable[[str, str, bytes], dict[str, Any] | None]


class Killed(BaseException):
    """The process dies here."""


class BulkStore:
    """Keeps documents by index and id like a real `create`: the first wins, later ones get a 409.

    `item` may decide over single items by returning their outcome; `before` and
    `after` run around each request and may raise.
    """

    def __init__(
        self,
        item: Item = lambda _index, _ident, _line: None,
        before: Callable[[int], Answer | None] = lambda _number: None,
        after: Callable[[int], None] = lambda _number: None,
    ) -> None:
        self.documents: dict[tuple[str, str], bytes] = {}
        self.requests = 0
        self.sizes: list[int] = []
        self.item = item
        self._before = before
        self._after = after
        self._lock = threading.Lock()

    def send(self, index: str, body: bytes) -> Answer:
        """Carry out a bulk request."""
        with self._lock:
            self.requests += 1
            number = self.requests
            answer = self._before(number)
            if answer is not None:
                return answer
            assert body.endswith(b"\n"), "a bulk body ends with a newline"
            lines = body[:-1].split(b"\n")
            self.sizes.append(len(lines) // 2)
            items = [self._create(index, json.loads(action)["create"], line) for action, line in zip(lines[::2], lines[1::2], strict=True)]
        self._after(number)
        failed = any("error" in item for item in items)
        return 200, json.dumps({"errors": failed, "items": [{"create": item} for item in items]}, separators=(",", ":")).encode()

    def lines(self, prefix: str) -> list[bytes]:
        """The stored documents of the indices that begin so, in the order of their ids."""
        return [line for (index, _), line in sorted(self.documents.items(), key=lambda entry: entry[0][1]) if index.startswith(prefix)]

    def _create(self, default: str, action: dict[str, str], line: bytes) -> dict[str, Any]:
        index, ident = action.get("_index", default), action["_id"]
        outcome = self.item(index, ident, line)
        if outcome is not None:
            return outcome
        if (index, ident) in self.documents:
            return {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "document already exists"}}
        self.documents[index, ident] = line
        return {"status": 201}


def refusal(status: int, error_type: str, reason: str = "because") -> dict[str, Any]:
    """The outcome of an item that was refused."""
    return {"status": status, "error": {"type": error_type, "reason": reason}}
