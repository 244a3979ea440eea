"""Serves /metrics and /health of a process that is no web service: the shipper, the cleanup."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import orjson
from pydantic import SecretStr

from app.core import metrics
from app.core.security import bearer_matches

REQUEST_SECONDS: Final = 5
"""A client that takes longer to send its request is cut off."""

Health = Callable[[], tuple[bool, dict[str, Any]]]


def serve(address: str, port: int, *, token: SecretStr, open_metrics: bool, health: Health) -> ThreadingHTTPServer:
    """Start to serve in a thread. Raises OSError when the port is taken."""

    class Handler(_Handler):
        metrics_token = token
        metrics_open = open_metrics
        check = staticmethod(health)

    ThreadingHTTPServer.daemon_threads = True
    server = ThreadingHTTPServer((address, port), Handler)
    threading.Thread(target=server.serve_forever, name="side-server", daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    metrics_token: SecretStr
    metrics_open: bool
    check: Health

    def do_GET(self) -> None:
        """Answer a request."""
        path = self.path.partition("?")[0].rstrip("/")
        if path == "/metrics":
            self._metrics()
        elif path == "/health/live":
            self._json(200, {"status": "alive"})
        elif path in ("/health", "/health/ready"):
            healthy, details = self.check()
            self._json(200 if healthy else 503, details)
        else:
            self._json(404, {"detail": "Not Found"})

    def _metrics(self) -> None:
        if not (self.metrics_open or bearer_matches(self.headers.get("authorization"), self.metrics_token)):
            self._json(401, {"detail": "A bearer token is needed"}, {"www-authenticate": "Bearer"})
            return
        body, content_type = metrics.exposition(self.headers.get("accept"))
        self._send(200, body, content_type, {})

    def _json(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, orjson.dumps(content), "application/json", headers or {})

    def _send(self, status: int, body: bytes, content_type: str, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {"content-type": content_type, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Requests are not logged: each scrape would make a record that has to be shipped."""
