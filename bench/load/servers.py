"""Starts what is measured, against the databases of a running stack, and says how much CPU time it took."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import psutil

from app.core.ports import port
from app.stack.environment import base_environment
from app.stack.listeners import is_free
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack
from bench.load.bare import OFF

START_SECONDS: Final = 120.0
PREFIX: Final = "logs-bench"
"""Index prefix of the measured app's records; its indices are removed at the end."""

TRACED: Final = "0.1"
"""The share of requests that production traces by default."""


class Process:
    """A server and its workers."""

    def __init__(self, arguments: list[str], environment: dict[str, str], output: Path) -> None:
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments], env=environment, cwd=output.parent, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        self._output: Final = output

    def wait_ready(self, url: str) -> None:
        """Wait until it answers. Raises RuntimeError with the end of its output."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if httpx.get(url, timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.2)
        raise RuntimeError(f"{url} does not answer: {self._output.read_text(errors='replace')[-600:]}")

    def cpu_seconds(self) -> float:
        """CPU time of the process and its children so far."""
        process = psutil.Process(self._process.pid)
        times = [member.cpu_times() for member in (process, *process.children(recursive=True))]
        return sum(time.user + time.system for time in times)

    def stop(self) -> None:
        """End it in order."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()


class ErrorSink:
    """Takes error events and forgets them. There should be none."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn: Final = f"http://public@127.0.0.1:{self._server.server_address[1]}/1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Servers:
    """Both variants side by side, and the shipper of the one that logs."""

    def __init__(self, stack: Stack, workers: int) -> None:
        self._stack: Final = stack
        self._workers: Final = workers
        self._folder = tempfile.TemporaryDirectory(prefix="nobet-bench-")
        self.folder: Final = Path(self._folder.name)
        self.spool: Final = self.folder / "spool"
        self._sink: Final = ErrorSink()
        self._started: list[Process] = []
        self.ports: Final = {"on": _free_port(), "off": _free_port()}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._started:
            process.stop()
        self._sink.close()
        self._folder.cleanup()

    def cpu_seconds(self, name: str) -> float:
        """CPU time of a variant's processes so far: `on`, `off` or `shipper`."""
        return self._by_name[name].cpu_seconds()

    def exposition(self) -> str:
        """What the measured app says of itself."""
        token = {"Authorization": f"Bearer {self._stack.secret('METRICS_TOKEN')}"}
        return httpx.get(f"http://127.0.0.1:{self.ports['on']}/metrics", headers=token, timeout=10).raise_for_status().text

    def _start(self) -> None:
        shared = self._shared()
        on = {
            **shared,
            "SPOOL_DIR": str(self.spool),
            "LOG_INDEX_PREFIX": PREFIX,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._stack.url("otlp_http"),
            "TRACE_SAMPLE_RATE": TRACED,
            "SENTRY_DSN": self._sink.dsn,
        }
        elastic = {"ELASTICSEARCH_URL": self._stack.url("elasticsearch")}
        admin = {**elastic, "ELASTICSEARCH_ADMIN_PASSWORD": self._stack.secret("ELASTICSEARCH_ADMIN_PASSWORD")}
        done = subprocess.run(
            [sys.executable, "-m", "app.shipper", "setup"], env={**on, **admin}, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            raise RuntimeError(f"Setting up Elasticsearch failed: {done.stderr.strip()[-300:]}")
        ship = {**elastic, "ELASTICSEARCH_SHIPPER_PASSWORD": self._stack.secret("ELASTICSEARCH_SHIPPER_PASSWORD")}
        offset = {"STACK_PORT_OFFSET": str(_free_offset("shipper"))}
        self._by_name = {
            "on": self._run(["app.core.serve", "app.main:app", *self._serve("on")], on, "on"),
            "off": self._run(["app.core.serve", "bench.load.bare:app", *self._serve("off")], {**shared, **OFF}, "off"),
            "shipper": self._run(["app.shipper"], {**on, **ship, **offset}, "shipper"),
        }
        for name, number in self.ports.items():
            self._by_name[name].wait_ready(f"http://127.0.0.1:{number}/feed?limit=1")

    def _shared(self) -> dict[str, str]:
        """What both have in common: databases, secrets, level of logs, no rate limit."""
        secrets = {name: self._stack.secret(name) for name in ("METRICS_TOKEN", "JWT_SECRET", "ANALYTICS_KEY")}
        return {
            **base_environment(),
            "PYTHONPATH": str(CHECKOUT),
            "ENVIRONMENT": "staging",
            "LOG_LEVEL": "INFO",
            "RATE_LIMIT_PER_MINUTE": "0",
            "DATABASE_URL": self._stack.expand("postgresql+asyncpg://nobet:{quoted[POSTGRES_PASSWORD]}@{host}:{port[postgres]}/nobet"),
            "REDIS_URL": self._stack.expand("redis://:{quoted[REDIS_PASSWORD]}@{host}:{port[redis]}/0"),
            "STACK_DIR": str(self.folder),
            **secrets,
        }

    def _serve(self, name: str) -> list[str]:
        return ["--service", "app", "--port", str(self.ports[name]), "--workers", str(self._workers)]

    def _run(self, arguments: list[str], environment: dict[str, str], name: str) -> Process:
        (self.folder / name).mkdir(exist_ok=True)
        process = Process(arguments, {**environment, "TMPDIR": os.environ.get("TMPDIR", "/tmp")}, self.folder / name / "output.log")  # noqa: S108
        self._started.append(process)
        return process


def _free_offset(name: str) -> int:
    """An offset at which a listener's port is free, beside the stack that runs already."""
    return next(offset for offset in range(30_000, 40_000, 7) if is_free(port(name, offset)))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        return number
