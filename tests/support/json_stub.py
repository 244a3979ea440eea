"""A server that answers recorded JSON by path: stands in for the query interfaces of other people's servers."""

import json
import urllib.parse
from typing import Any, Final

from tests.support.receiver import Asked, Receiver, Reply


class JsonStub(Receiver):
    """`answers` is path → JSON; paths without one get 404. `asked` are the requests, with query."""

    def __init__(self) -> None:
        self.answers: Final[dict[str, Any]] = {}
        self.asked: Final[list[tuple[str, dict[str, str]]]] = []
        self.status = 200
        super().__init__()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    def answer(self, asked: Asked) -> Reply:
        """What was recorded for the path."""
        parts = urllib.parse.urlsplit(asked.path)
        self.asked.append((parts.path, dict(urllib.parse.parse_qsl(parts.query))))
        found = self.answers.get(parts.path)
        return Reply(self.status if found is not None else 404, json.dumps(found).encode())
