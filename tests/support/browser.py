"""A real Chromium without a window: the one on the PATH, or Debian's, unpacked into the stack's cache.

Driven over the DevTools protocol: open a page, run a script in it, get its value back.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
from websockets.sync.client import ClientConnection, connect

from app.stack.commands import library_path
from app.stack.install import apt
from app.stack.model import Apt
from app.stack.paths import CHECKOUT
from tests.support.waiting import wait_until

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SOURCE: Final = Apt(("chromium", "chromium-common"), "usr/lib/chromium/chromium")
START_SECONDS: Final = 60
AGAIN_SECONDS: Final = 10
SCRIPT_SECONDS: Final = 120
LARGEST_ANSWER: Final = 16 * 1024 * 1024

_LOST: Final = "document.readyState === 'complete' && window.ready === undefined"
"""Whether the scripts of a page never began: neither ready nor about to be."""


def chromium(cache: Path | None = None) -> tuple[str, dict[str, str]]:
    """Path of the program and variables that it needs; Debian's is fetched where none is on the PATH. Raises StackError."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found and cache is None:
        return found, {}
    cache = cache or Path(os.environ.get("STACK_CACHE_DIR") or CHECKOUT / ".stack" / "cache")
    home = apt.home("chromium", cache)
    apt.install(SOURCE, home, cache, print)
    libraries = library_path(home)
    return str(home / SOURCE.program), {"LD_LIBRARY_PATH": libraries} if libraries else {}


class Browser:
    """A browser with a fresh profile and one page, for as long as the block lasts."""

    def __init__(self) -> None:
        self._profile = Path(tempfile.mkdtemp(prefix="nobet-browser-"))
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._page: ClientConnection | None = None

    def open(self, url: str, seconds: float = START_SECONDS) -> None:
        """Load a page and wait until it says `window.ready`.

        It is loaded anew when a file of it was lost on the way: Chromium drops what it is fetching whenever the machine
        gets another network interface, and other tests make some.
        """
        self._command("Page.navigate", url=url)
        loaded = time.monotonic()

        def ready() -> bool:
            nonlocal loaded
            if self.run("window.ready === true"):
                return True
            if time.monotonic() - loaded > AGAIN_SECONDS and self.run(_LOST):
                self._command("Page.navigate", url=url)
                loaded = time.monotonic()
            return False

        wait_until(f"{url} being ready", ready, seconds)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; promises are waited for. Raises AssertionError with the page's error."""
        answer = self._command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        """Give the page's window this size."""
        self._command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self._command("Page.captureScreenshot", format="png")["data"])

    def __enter__(self) -> Self:
        program, env = chromium()
        flags = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={self._profile}", "--disable-gpu", "--no-proxy-server"]
        flags += ["--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage", "--mute-audio"]
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        with (self._profile / "log").open("wb") as output:
            self._process = subprocess.Popen([program, *flags, "about:blank"], env={**os.environ, **env}, stdout=output, stderr=output)
        try:
            port = wait_until("Chromium listening", self._port, START_SECONDS)
            address = wait_until("the first page being open", lambda: _first_page(port), START_SECONDS)
            # No pings: a browser that is busy for long has not gone away, and each command has its own limit.
            self._page = connect(address, max_size=LARGEST_ANSWER, proxy=None, open_timeout=START_SECONDS, ping_interval=None)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it and remove its profile."""
        if self._page is not None:
            self._page.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _port(self) -> str:
        assert self._process is not None
        assert self._process.poll() is None, (self._profile / "log").read_text(errors="replace")[-2000:]
        return (self._profile / "DevToolsActivePort").read_text().splitlines()[0]

    def _command(self, method: str, **params: Any) -> dict[str, Any]:
        assert self._page is not None, "use it in a with block"
        number = next(self._numbers)
        self._page.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._page.recv(SCRIPT_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result


def _first_page(port: str) -> str:
    """Where the page is spoken to; the browser listens before it has one."""
    pages = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False, timeout=30).json()
    return next((str(page["webSocketDebuggerUrl"]) for page in pages if page["type"] == "page"), "")
