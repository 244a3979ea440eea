"""A stand-in for Slack's incoming webhooks: takes messages over HTTP and keeps them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class SlackCatcher:
    """Listens on a free port of the loopback interface as long as the block lasts."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        """What it answers; messages answered with another status are not kept."""
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if catcher.status == 200:
                    catcher.messages.append(message)
                self.send_response(catcher.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """What to put into SLACK_WEBHOOK_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/services/T0/B0/secret-path"

    def about(self, *texts: str) -> list[str]:
        """The messages that contain all these texts, oldest first, as one text each."""
        found = [json.dumps(message, ensure_ascii=False) for message in list(self.messages)]
        return [message for message in found if all(text in message for text in texts)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
