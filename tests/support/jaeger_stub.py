"""Answers like Jaeger's query API, with the trace that a test gives it."""

import http.server
import json
import threading
from types import TracebackType
from typing import Any, Final, Self


def span(ident: str, parent: str, name: str, start: int, duration: int, service: str, **tags: Any) -> dict[str, Any]:
    """A span in Jaeger's form; times in microseconds."""
    return {
        "spanID": ident,
        "operationName": name,
        "references": [{"refType": "CHILD_OF", "spanID": parent}] if parent else [],
        "startTime": 1_795_313_704_000_000 + start,
        "duration": duration,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "processID": service,
    }


class JaegerStub:
    """Listens for as long as the block lasts; knows the traces in `traces`, each after `misses` answers of 404."""

    def __init__(self) -> None:
        self.traces: Final[dict[str, list[dict[str, Any]]]] = {}
        self.misses = 0
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = stub.traces.get(self.path.rpartition("/")[2])
                if found is None or stub.misses > 0:
                    stub.misses -= 1
                    self.send_error(404)
                    return
                processes = {span["processID"]: {"serviceName": span["processID"]} for span in found}
                body = json.dumps({"data": [{"spans": found, "processes": processes}]}).encode()
                self.send_response(200)
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
