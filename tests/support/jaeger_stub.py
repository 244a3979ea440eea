"""Answers like Jaeger's query API, with the trace that a test gives it."""

import json
from typing import Any, Final

from tests.support.receiver import Asked, Receiver, Reply


def span(ident: str, parent: str, name: str, start: int, duration: int, service: str, **tags: Any) -> dict[str, Any]:
    """A span in Jaeger's form; times in microseconds."""
    return {
        "spanID": ident,
        "operationName": name,
        "references": [{"refType": "CHILD_OF", "spanID": parent}] if parent else [],
        "startTime": 1_795_313_704_000_000 + start,
        "duration": duration,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "processID": service,
    }


class JaegerStub(Receiver):
    """Knows the traces in `traces`, each after `misses` answers of 404."""

    def __init__(self) -> None:
        self.traces: Final[dict[str, list[dict[str, Any]]]] = {}
        self.misses = 0
        super().__init__()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    def answer(self, asked: Asked) -> Reply:
        """The trace whose id ends the path."""
        found = self.traces.get(asked.path.rpartition("/")[2])
        if found is None or self.misses > 0:
            self.misses -= 1
            return Reply(404)
        processes = {span["processID"]: {"serviceName": span["processID"]} for span in found}
        return Reply(body=json.dumps({"data": [{"spans": found, "processes": processes}]}).encode())
