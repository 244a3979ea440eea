"""A server that answers recorded JSON by path: stands in for the query interfaces of other people's servers."""

import http.server
import json
import threading
import urllib.parse
from types import TracebackType
from typing import Any, Final, Self


class JsonStub:
    """Listens for as long as the block lasts. `answers` is path → JSON; paths without one get 404. `asked` are the requests, with query."""

    def __init__(self) -> None:
        self.answers: Final[dict[str, Any]] = {}
        self.asked: Final[list[tuple[str, dict[str, str]]]] = []
        self.status = 200
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                stub.asked.append((parts.path, dict(urllib.parse.parse_qsl(parts.query))))
                found = stub.answers.get(parts.path)
                body = json.dumps(found).encode()
                self.send_response(stub.status if found is not None else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Be quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url: Final = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
