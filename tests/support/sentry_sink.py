"""A stand-in for a Sentry-compatible server: takes envelopes over HTTP and keeps what is in them.

It speaks just enough of the protocol for the SDKs of Python and of browsers to be content. The real
servers' own behaviour (grouping, rate limits) is not shown by it; tests/integration/errors has a real one.
"""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class SentrySink:
    """Listens on a free port of the loopback interface as long as the block lasts."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.items: list[tuple[str, bytes]] = []
        """Everything that came, as type and payload: event, transaction, profile, replay_event, replay_recording …"""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self._answer(200, b"{}")

            def do_OPTIONS(self) -> None:
                self._answer(204, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                for name in ("Origin", "Headers", "Methods"):  # browsers ask whether a page may send here
                    self.send_header(f"Access-Control-Allow-{name}", "*")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def dsn(self) -> str:
        """What to put into SENTRY_DSN."""
        return f"http://public@127.0.0.1:{self._server.server_address[1]}/1"

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

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
