"""A stand-in for Crashlytics: takes the reports of simulated phones over HTTP, in batches, and keeps them.

The protocol is ours (`POST /reports` with a JSON list); Google's is not open. What is shown by it is what a
client reports, when and under which id, not how Crashlytics groups or displays it.
"""

import json
from typing import Any

from tests.support.receiver import Asked, Receiver, Reply


class CrashlyticsSink(Receiver):
    """Keeps the reports of phones."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        """Each upload, in the order of arrival: a list of records with kind (`log` or `error`), time and event_id."""
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """Keep a batch."""
        self.batches.append(json.loads(asked.body))
        return Reply(204)

    @property
    def url(self) -> str:
        """Where clients send their reports."""
        return f"http://{self.address}/reports"

    @property
    def reports(self) -> list[dict[str, Any]]:
        """All records so far."""
        return [record for batch in list(self.batches) for record in batch]

    def logs(self, event_id: str) -> list[str]:
        """The log lines with that id."""
        return [record["message"] for record in self.reports if record["kind"] == "log" and record["event_id"] == event_id]

    def errors(self, event_id: str) -> list[dict[str, Any]]:
        """The recorded errors with that id: type, message, stack, fatal, and `logs`, the lines that went before."""
        return [record for record in self.reports if record["kind"] == "error" and record["event_id"] == event_id]
