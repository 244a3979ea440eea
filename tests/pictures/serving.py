"""The preview's server on a free port, for as long as a block lasts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from app.core.ports import LOOPBACK
from app.stack.preview.server import Page, preview_app
from tests.support.waiting import wait_until

START_SECONDS = 30
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Served:
    """Where the page is, and of what folder."""

    address: str
    folder: Path

    def dashboards(self) -> dict[str, str]:
        """Uid → name of the file, without its ending."""
        return {json.loads(path.read_text(encoding="utf-8"))["uid"]: path.stem for path in sorted(self.folder.glob("*.json"))}


@contextmanager
def served(page: Page) -> Iterator[Served]:
    """Serve the page while the block runs."""
    server = uvicorn.Server(uvicorn.Config(preview_app(page), host=LOOPBACK, port=0, log_config=None))
    thread = threading.Thread(target=server.run, name="preview", daemon=True)
    thread.start()
    try:
        wait_until("the preview listening", lambda: server.started, START_SECONDS)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://{LOOPBACK}:{port}", page.dashboards)
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
