"""What `nobet preview` does: builds the page where it is missing, serves it, and says where it is."""

import sys
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from rich.console import Console

from app.core.ports import LOOPBACK
from app.stack.errors import StackError
from app.stack.listeners import is_free
from app.stack.paths import CHECKOUT
from app.stack.preview.bundle import build
from app.stack.preview.server import Page, preview_app
from app.stack.preview.sources import Source, sources_of
from app.stack.progress import progress
from app.stack.stack import Stack

DASHBOARDS: Final = CHECKOUT / "grafana" / "dashboards"

_STEP: Final = "page"


def preview(stack: Stack, console: Console, port: int | None, *, browser: bool) -> None:
    """Serve until Ctrl-C. Raises StackError."""
    page = page_of(stack, console)
    port = port or stack.port("preview")
    if not is_free(port):
        raise StackError(f"Port {port} is taken. Another preview may be running: open it, or choose a port with --port.")
    address = f"http://{LOOPBACK}:{port}/"
    console.print(f"Dashboards: {address}  (Ctrl-C ends it)", markup=False)
    for source in silent(page.sources):
        console.print(f"{source.name} does not answer: its panels will say so. `nobet up` starts the stack.", style="yellow", markup=False)
    if browser and sys.stdout.isatty():
        with suppress(webbrowser.Error):
            webbrowser.open(address)
    uvicorn.run(preview_app(page), host=LOOPBACK, port=port, log_level="warning", access_log=False)
    console.print("Ended. The stack goes on; `nobet status` shows it.", markup=False)


def page_of(stack: Stack, console: Console, dashboards: Path = DASHBOARDS) -> Page:
    """The page with this stack's data sources, built where it was not yet. Raises StackError."""
    with progress(console, {_STEP: "Preview page"}) as shown:
        bundle = build(stack.paths.cache, lambda text: shown.tell(_STEP, "building", text))
        shown.tell(_STEP, "ready")
    return Page(bundle, dashboards, sources_of(stack))


def silent(sources: Mapping[str, Source]) -> list[Source]:
    """The data sources whose server does not answer, one for each server."""
    found: dict[str, Source] = {}
    for source in sources.values():
        try:
            httpx.get(source.url, timeout=3, trust_env=False)
        except httpx.HTTPError:
            found.setdefault(source.url, source)
    return list(found.values())
