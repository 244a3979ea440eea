"""Our shipper and Python's, as processes that are ready before the clock starts and say when the last line is taken."""

import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import httpx

from app.core.ports import PORTS
from bench.peers import environment, python
from bench.shipping.clients.protocol import CONNECTIONS
from bench.shipping.store import PREFIX, Store

START_SECONDS: Final = 60.0
SHIP_SECONDS: Final = 3600.0
POLL_SECONDS: Final = 0.02


class ShipperError(RuntimeError):
    """A shipper that can't be had, didn't start, or didn't finish. The text says why."""


class Shipper(ABC):
    """One way of shipping, for one turn."""

    def __init__(self, store: Store, folder: Path) -> None:
        """`folder` is its own and empty."""
        self._store: Final = store
        self._folder: Final = folder
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True)

    @abstractmethod
    def prepare(self, segments: list[Path]) -> None:
        """Start, and be ready to ship these segments. Raises ShipperError."""

    @abstractmethod
    def ship(self) -> None:
        """Ship them; returns when Elasticsearch has taken the last. Raises ShipperError."""

    @property
    def pid(self) -> int:
        """Its process."""
        return self._running().pid

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _spawn(self, command: list[str], env: dict[str, str], *, pipes: bool = False) -> None:
        with (self._folder / "errors.log").open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                env=env,
                cwd=self._folder,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else errors,
                stderr=errors,
                text=True,
            )

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise ShipperError("it was not started")
        return self._process

    def _last_words(self) -> str:
        text = (self._folder / "errors.log").read_text(encoding="utf-8", errors="replace").strip()
        return text[-400:] or "it said nothing"


class Ours(Shipper):
    """`python -m app.shipper`, complete: positions, verdict on each item, metrics, health."""

    def __init__(self, store: Store, folder: Path, *, offset: int = 21_000, extra: dict[str, str] | None = None) -> None:
        super().__init__(store, folder)
        self.spool: Final = folder / "spool"
        self._offset: Final = offset
        self._extra: Final = extra or {}
        self._names: list[str] = []
        self._waiting: Path = folder / "waiting"

    @property
    def environment(self) -> dict[str, str]:
        """What the process is told."""
        return environment(
            ENVIRONMENT="production",
            METRICS_TOKEN="bench-token-of-32-characters-long",  # noqa: S106 (guards nothing)
            SPOOL_DIR=str(self.spool),
            SPOOL_MAX_BYTES=str(64 * 1024**3),
            ELASTICSEARCH_URL=self._store.url,
            ELASTICSEARCH_SHIPPER_PASSWORD=self._store.password("shipper"),
            LOG_INDEX_PREFIX=PREFIX,
            LOG_STDOUT="false",
            SHIPPER_CONNECTIONS=str(CONNECTIONS),
            # It looks into an idle spool every half a second; that wait is not shipping.
            SHIPPER_POLL_SECONDS="0.05",
            STACK_PORT_OFFSET=str(self._offset),
            **self._extra,
        )

    def prepare(self, segments: list[Path]) -> None:
        """Start with an empty spool; the segments wait beside it."""
        self.spool.mkdir()
        for path in segments:
            self.add(path, path.name)
        self._spawn([python(), "-m", "app.shipper"], self.environment)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._running().poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{PORTS['shipper'] + self._offset}/health", timeout=2, trust_env=False)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                time.sleep(1)  # the record of its own start is on its way first
                return
        raise ShipperError(f"our shipper did not start: {self._last_words()}")

    def add(self, segment: Path, name: str) -> None:
        """Copy a segment into the waiting room, under the name that it will have in the spool."""
        self._waiting.mkdir(exist_ok=True)
        shutil.copyfile(segment, self._waiting / name)
        self._names.append(name)

    def begin(self) -> None:
        """Let the segments appear in the spool."""
        for name in self._names:
            (self._waiting / name).rename(self.spool / name)

    def left(self) -> int:
        """Segments that are not delivered yet."""
        return sum((self.spool / name).exists() for name in self._names)

    def ship(self) -> None:
        """A segment that is gone is delivered: positions are durable before it is removed."""
        self.begin()
        deadline = time.monotonic() + SHIP_SECONDS
        while self.left():
            if self._running().poll() is not None or time.monotonic() > deadline:
                raise ShipperError(f"our shipper did not finish: {self._last_words()}")
            time.sleep(POLL_SECONDS)


class Client(Shipper):
    """A Python program of `bench.shipping.clients`."""

    module: str
    variables: dict[str, str]

    def __init__(self, store: Store, folder: Path, module: str, **variables: str) -> None:
        super().__init__(store, folder)
        self.module = module
        self.variables = variables

    def prepare(self, segments: list[Path]) -> None:
        """Start it; what it reads or encodes beforehand is its own affair."""
        env = environment(
            BENCH_URL=self._store.url, BENCH_PASSWORD=self._store.password("admin"), BENCH_INDEX=self._store.index, **self.variables
        )
        self._spawn([python(), "-m", f"bench.shipping.clients.{self.module}", *map(str, segments)], env, pipes=True)
        self._expect("ready")

    def ship(self) -> None:
        """Say go, wait for done."""
        process = self._running()
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()
        self._expect("done")

    def _expect(self, word: str) -> None:
        process = self._running()
        if process.stdout is None or process.stdout.readline().strip() != word:
            raise ShipperError(f"{self.module} failed: {self._last_words()}")
