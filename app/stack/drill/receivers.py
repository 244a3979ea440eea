"""Stand-ins for Slack and PagerDuty: they take messages over HTTP and keep them, or fail when a drill wants that."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from app.core.ports import LOOPBACK


class Receivers:
    """Listens as long as the block lasts. What comes to /slack and to /pagerduty is kept as text."""

    def __init__(self, port: int = 0) -> None:
        """0 takes a free port."""
        receivers = self
        self.slack: Final[list[str]] = []
        self.pagerduty: Final[list[str]] = []
        self.status = 200
        """What Slack's stand-in answers; messages that it refuses are not kept."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
                status = receivers.take(self.path, body)
                said = b"ok" if status < 300 else b"refused"  # Alertmanager takes nothing but Slack's own word for a success
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server: Final = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._thread: Final = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def take(self, path: str, body: str) -> int:
        """Keep a message; returns the status of the answer."""
        if path.startswith("/pagerduty"):
            self.pagerduty.append(body)
            return 202
        if self.status == 200:
            self.slack.append(body)
        return self.status

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it listens; the path names the service."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
