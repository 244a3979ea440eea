"""A stand-in for a Sentry-compatible server: takes envelopes over HTTP and keeps what is in them.

It speaks just enough of the protocol for the SDKs of Python and of browsers to be content. The real
servers' own behaviour (grouping, rate limits) is not shown by it; tests/integration/errors has a real one.
"""

import json
from typing import Any, Final

from tests.support.receiver import Asked, Receiver, Reply

OPEN_TO_PAGES: Final = {f"Access-Control-Allow-{name}": "*" for name in ("Origin", "Headers", "Methods")}


class SentrySink(Receiver):
    """Keeps error events and all other items."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.items: list[tuple[str, bytes]] = []
        """Everything that came, as type and payload: event, transaction, profile, replay_event, replay_recording …"""
        super().__init__()

    @property
    def dsn(self) -> str:
        """What to put into SENTRY_DSN."""
        return f"http://public@{self.address}/1"

    def answer(self, asked: Asked) -> Reply:
        """Keep what came. Browsers ask first whether a page may send here."""
        if asked.method == "OPTIONS":
            return Reply(204, headers=OPEN_TO_PAGES)
        self.take(asked.body)
        return Reply(body=b"{}", headers=OPEN_TO_PAGES)

    def take(self, envelope: bytes) -> None:
        """Keep the items of one envelope."""
        _, _, rest = envelope.partition(b"\n")
        while rest.strip():
            line, _, rest = rest.partition(b"\n")
            header = json.loads(line)
            length = header.get("length", rest.find(b"\n"))
            payload, rest = (rest[:length], rest[length:].removeprefix(b"\n")) if length >= 0 else (rest, b"")
            self.items.append((header["type"], payload))
            if header["type"] == "event":
                self.events.append(json.loads(payload))

    def of(self, request_id: str) -> list[dict[str, Any]]:
        """The events with that tag `event_id`."""
        return [event for event in self.events if event.get("tags", {}).get("event_id") == request_id]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of items of a type that is JSON, such as `transaction`."""
        return [json.loads(payload) for found, payload in list(self.items) if found == kind]
