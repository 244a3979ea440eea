"""The web page of the browser tests, served like a development server does: files, npm modules, and the API behind /api."""

import json
import mimetypes
import os
import shutil
from pathlib import Path
from typing import Final

import httpx

from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.paths import CHECKOUT
from tests.support.receiver import Asked, Receiver, Reply

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


class WebPage(Receiver):
    """Serves the page."""

    def __init__(self, backend: str, dsn: str) -> None:
        self._modules: Final = modules()
        # A port on which nobody listens: what a page sees when its network is gone.
        self._config: Final = json.dumps({"dsn": dsn, "environment": "test", "nowhere": "http://127.0.0.1:1/api/feed"}).encode()
        self._backend: Final = backend.rstrip("/")
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """The API behind /api, the page's settings, the modules, and the page's own files."""
        path = asked.path.partition("?")[0]
        if path.startswith("/api/"):
            return self._pass_on(asked)
        if path == "/config.json":
            return Reply(body=self._config)
        if path.startswith("/modules/"):
            return self._file(self._modules / path.removeprefix("/modules/"))
        return self._file(FOLDER / (path.strip("/") or "page.html"))

    def _pass_on(self, asked: Asked) -> Reply:
        headers = {name: value for name, value in asked.headers.items() if name.lower() in PASSED_ON}
        answer = httpx.get(f"{self._backend}{asked.path}", headers=headers, timeout=30, trust_env=False)
        return Reply(answer.status_code, answer.content, answer.headers.get("content-type", "application/json"))

    def _file(self, file: Path) -> Reply:
        if not (file.is_file() and (FOLDER in file.parents or self._modules in file.resolve().parents)):
            return Reply(404, kind="text/plain")
        kind = "text/javascript" if file.suffix == ".mjs" else mimetypes.guess_type(file.name)[0]
        return Reply(body=file.read_bytes(), kind=kind or "application/octet-stream")

    @property
    def url(self) -> str:
        """What to open in the browser."""
        return f"http://{self.address}/"
