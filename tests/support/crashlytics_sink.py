"""A stand-in for Crashlytics: takes the reports of simulated phones over HTTP, in batches, and keeps them.

The protocol is ours (`POST /reports` with a JSON list); Google's is not open. What is shown by it is what a
client reports, when and under which id, not how Crashlytics groups or displays it.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class CrashlyticsSink:
    """Listens on a free port of the loopback interface as long as the block lasts."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        """Each upload, in the order of arrival: a list of records with kind (`log` or `error`), time and event_id."""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sink.batches.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where clients send their reports."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/reports"

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

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
