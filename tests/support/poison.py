"""A server between shipper and Elasticsearch that answers 500 for chosen documents, as a node with a bug would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx
import orjson

_ANSWER: Final = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/vnd.elasticsearch+json;compatible-with=8"}
_FAILED: Final = {"create": {"status": 500, "error": {"type": "illegal_state_exception", "reason": "a bug of the server"}}}


@contextmanager
def poisoning(target: str, marker: bytes) -> Iterator[str]:
    """The address of one that passes bulk requests on without the log records that hold the marker, and says that those failed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            lines = self.rfile.read(int(self.headers["Content-Length"]))[:-1].split(b"\n")
            pairs = list(zip(lines[::2], lines[1::2], strict=True))
            logs = self.path.startswith("/logs-")
            bad = [logs and marker in line for _, line in pairs]
            kept = [pair for pair, is_bad in zip(pairs, bad, strict=True) if not is_bad]
            answer: dict[str, Any] = {"items": []}
            if kept:
                body = b"".join(action + b"\n" + line + b"\n" for action, line in kept)
                headers = {name: self.headers[name] for name in ("Authorization", "Content-Type", "Accept")}
                answer = httpx.post(f"{target}{self.path}", content=body, headers=headers, timeout=30, trust_env=False).json()
            items = iter(answer["items"])
            merged = [_FAILED if is_bad else next(items) for is_bad in bad]
            content = orjson.dumps({"errors": any(bad) or answer["errors"], "items": merged})
            self.send_response(200)
            for name, value in {**_ANSWER, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
