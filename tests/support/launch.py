"""Starts a module as a process: as a program of its own, or forked from one that has read the libraries already.

The second way is for the kill loop, which starts thousands: on a busy machine a Python process
spends seconds on imports, and a process that is killed while it imports proves nothing. Only
third-party libraries are read beforehand; our own code is imported afresh by each process, with
its own environment. (Not prometheus_client either, which looks at the environment on import.)
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

LIBRARIES: Final = (
    "elastic_transport",
    "elasticsearch",
    "http.server",
    "httpx",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk.trace",
    "orjson",
    "psutil",
    "pydantic",
    "pydantic_settings",
    "sentry_sdk",
    "structlog",
)

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(list(LIBRARIES))


class Running(Protocol):
    """A process that was started, as `subprocess.Popen` is one."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code once it is there. Raises subprocess.TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""

    def kill(self) -> None:
        """SIGKILL."""


class Launch(Protocol):
    """A way of starting a module."""

    def __call__(self, module: str, words: Sequence[str], environment: dict[str, str], folder: Path, output: Path) -> Running:
        """Start `python -m module words…` in a folder, with exactly this environment; what it prints is added to `output`."""


def launch_program(
    module: str, words: Sequence[str], environment: dict[str, str], folder: Path, output: Path, *, before: Sequence[str] = ()
) -> Running:
    """As a program of its own; `before` is put before its command."""
    with output.open("ab") as file:
        return subprocess.Popen(
            [*before, sys.executable, "-m", module, *words], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )


def launch_fork(module: str, words: Sequence[str], environment: dict[str, str], folder: Path, output: Path) -> Running:
    """Forked from a process that has the libraries."""
    return _Forked(module, words, environment, folder, output)


class _Forked:
    def __init__(self, *what: object) -> None:
        self._process = _server.Process(target=_become, args=what)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("forked process", timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self._process.kill()


def _become(module: str, words: Sequence[str], environment: dict[str, str], folder: Path, output: Path) -> None:
    """Be the module from here on."""
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
