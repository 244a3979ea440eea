"""A measured application as a process: one uvicorn worker with uvloop and httptools, its output in a file."""

import os
import random
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from app.stack.listeners import HIGHEST_PORT, is_free
from bench.cpu import cpu_seconds, resident_mib
from bench.peers import environment, python
from bench.request_path.variants import Variant

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
_BEYOND: Final = 32_768

_UVICORN: Final = ("-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--host", "127.0.0.1", "--timeout-keep-alive", "3600")


class DidNotStartError(RuntimeError):
    """A server that never answered. The text is the end of what it said."""


class Server:
    """One variant, running."""

    def __init__(self, variant: Variant, folder: Path, addresses: dict[str, str]) -> None:
        """Start it; `addresses` fill in the variant's environment. Raises DidNotStartError."""
        self.variant: Final = variant
        self.port: Final = _free_port()
        self._folder: Final = folder
        folder.mkdir(parents=True)
        env = {name: value.format(folder=folder, **addresses) for name, value in variant.env.items()}
        if "PROMETHEUS_MULTIPROC_DIR" in env:
            (folder / "metrics").mkdir()
        command = [python(), *_UVICORN, "--port", str(self.port), f"bench.request_path.apps.{variant.app}:app"]
        with self._output.open("ab") as output, (folder / "errors.log").open("ab") as errors:
            self._process = subprocess.Popen(
                command if variant.access_log else [*command, "--no-access-log"],
                cwd=folder,
                env=environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        self._wait_ready()

    @property
    def _output(self) -> Path:
        return self._folder / "output.log"

    def cpu_seconds(self) -> float:
        """CPU time so far."""
        return cpu_seconds(self._process.pid)

    def resident_mib(self) -> float:
        """Memory now."""
        return resident_mib(self._process.pid)

    def records(self) -> int:
        """How many lines it has left behind since it was last asked; they are removed, so that no disk fills up."""
        found = 0
        for path in (self._output, *sorted((self._folder / "spool").glob("*.ndjson"))):
            found += _lines(path)
            os.truncate(path, 0)  # both are open for appending: what comes next begins at the start again
        return found

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        said = (self._folder / "errors.log").read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
        raise DidNotStartError(said[-1])


def _lines(path: Path) -> int:
    found = 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            found += chunk.count(b"\n")
    return found


def _free_port() -> int:
    """None of those that Linux gives to outgoing connections: one of them could take it before the server starts."""
    dice = random.Random()  # noqa: S311 (a port)
    return next(number for number in iter(lambda: dice.randrange(HIGHEST_PORT + 1, _BEYOND), 0) if is_free(number))
