"""A stand-in for a Sentry-compatible server: takes envelopes over HTTP and keeps the events in them.

It speaks just enough of the protocol for the SDK to be content. The real
servers' own behaviour (grouping, rate limits) is not shown by it.
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
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def dsn(self) -> str:
        """What to put into SENTRY_DSN."""
        return f"http://public@127.0.0.1:{self._server.server_address[1]}/1"

    def take(self, envelope: bytes) -> None:
        """Keep the events of one envelope."""
        lines = envelope.split(b"\n")
        place = 1
        while place + 1 < len(lines):
            header = json.loads(lines[place])
            if header.get("type") == "event":
                self.events.append(json.loads(lines[place + 1]))
            place += 2

    def of(self, request_id: str) -> list[dict[str, Any]]:
        """The events with that tag `event_id`."""
        return [event for event in self.events if event.get("tags", {}).get("event_id") == request_id]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
