"""The web page of the browser tests, served like a development server does: files, npm modules, and the API behind /api."""

import json
import mimetypes
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.paths import CHECKOUT

FOLDER: Final = Path(__file__).with_name("webapp")
PASSED_ON: Final = ("x-event-id", "user-agent", "content-type", "authorization")


def modules() -> Path:
    """The npm modules that the lock file names, in the stack's cache. Raises StackError."""
    cache = Path(os.environ.get("STACK_CACHE_DIR") or CHECKOUT / ".stack" / "cache")
    version = json.loads((FOLDER / "package.json").read_text())["dependencies"]["@sentry/browser"]
    entry = cache / f"test-page-{version}"
    with locked(entry):
        if not entry.is_dir():
            with fresh_entry(entry) as building:
                for name in ("package.json", "package-lock.json"):
                    shutil.copy(FOLDER / name, building / name)
                command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={cache / 'npm'}"]
                run_client(command, what="Installing Sentry's SDK for browsers with npm", folder=building)
    return entry / "node_modules"


class WebPage:
    """Serves the page on a free port for as long as the block lasts."""

    def __init__(self, backend: str, dsn: str) -> None:
        found = modules()
        # A port on which nobody listens: what a page sees when its network is gone.
        config = json.dumps({"dsn": dsn, "environment": "test", "nowhere": "http://127.0.0.1:1/api/feed"}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path.startswith("/api/"):
                    self._pass_on()
                elif path == "/config.json":
                    self._answer(200, config, "application/json")
                elif path.startswith("/modules/"):
                    self._file(found / path.removeprefix("/modules/"))
                else:
                    self._file(FOLDER / (path.strip("/") or "page.html"))

            def _pass_on(self) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
                answer = httpx.get(f"{backend.rstrip('/')}{self.path}", headers=headers, timeout=30, trust_env=False)
                self._answer(answer.status_code, answer.content, answer.headers.get("content-type", "application/json"))

            def _file(self, file: Path) -> None:
                if file.is_file() and (FOLDER in file.parents or found in file.resolve().parents):
                    kind = "text/javascript" if file.suffix == ".mjs" else mimetypes.guess_type(file.name)[0]
                    self._answer(200, file.read_bytes(), kind or "application/octet-stream")
                else:
                    self._answer(404, b"", "text/plain")

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """What to open in the browser."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
