"""Our services as processes of their own, started as the stack starts them, with an environment that only the test decides."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from app.core.ports import PORTS
from app.core.requests import OUTCOME_EVENTS
from app.stack.listeners import HIGHEST_PORT, is_free
from tests.support.records import spooled
from tests.support.waiting import wait_until

CHECKOUT: Final = Path(__file__).parents[2]
TARGETS: Final = {"app": "app.main:app", "voice": "app.voice.main:app"}
START_SECONDS: Final = 120
_BEYOND: Final = 32_768
"""From here on Linux gives ports to outgoing connections."""
_PART: Final = 100
"""Ports in a row that are one process's."""
STOP_SECONDS: Final = 30
"""As long as those wait who run a service, before they kill it."""

_given: Final[set[int]] = set()
"""Ports that somebody in this process was promised, and may not listen at yet."""


def free_port() -> int:
    """A port of the loopback interface that nobody uses now, and that nobody else is given.

    Neither one of the kernel's for outgoing connections, of which one could take it before the server starts, nor a stack's.
    """
    return free_offset_of() + HIGHEST_PORT + 1


def free_offset_of(*names: str) -> int:
    """A STACK_PORT_OFFSET at which the ports of these names in app.core.ports are free."""
    numbers = [PORTS[name] for name in names] or [HIGHEST_PORT + 1]
    whole = range(HIGHEST_PORT + 1 - min(numbers), _BEYOND - max(numbers))
    room = [offset for offset in whole if all(_is_ours(number + offset) for number in numbers)]
    for again in (False, True):
        if again:
            _given.clear()  # whoever was promised one long ago has used it
        for offset in random.sample(room, len(room)):
            ports = {number + offset for number in numbers}
            if _given.isdisjoint(ports) and all(map(is_free, ports)):
                _given.update(ports)
                return offset
    raise AssertionError("no port is free")


def _is_ours(port: int) -> bool:
    """Whether it is for this process to give: of several that run tests at once, each has a part of its own."""
    processes, number = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"), os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return port // _PART % int(processes) == int(number.removeprefix("gw")) % int(processes)


def bare_environment(**variables: str) -> dict[str, str]:
    """What a process needs to find Python and the checkout, and nothing of the tester's own settings."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **variables}


class Service:
    """One service, in a folder of its own, for as long as the block lasts."""

    def __init__(self, name: str, folder: Path, *, workers: int = 1, port: int | None = None, **variables: str) -> None:
        self.port: Final = port or free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}"
        self.spool: Final = folder / "spool"
        self.output: Final = folder / "output.log"
        self._name: Final = name
        self._folder: Final = folder
        self._workers: Final = workers
        folder.mkdir(parents=True, exist_ok=True)
        defaults = {"SPOOL_DIR": str(self.spool), "ENVIRONMENT": "test", "LOG_LEVEL": "DEBUG", "VOICE_URL": "", "HEALTH_CACHE_SECONDS": "0"}
        defaults |= {"HEALTH_TIMEOUT_SECONDS": "20"}  # what answers late is well, on a busy machine
        defaults |= {"RATE_LIMIT_PER_MINUTE": "0"}  # all of a test's load comes from one address
        self._environment: Final = bare_environment(**{**defaults, **variables})
        self._process: subprocess.Popen[bytes] | None = None
        # A connection of its own for each request, so that any worker may answer it.
        self._http: Final = httpx.Client(base_url=self.url, timeout=60, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    def command(self) -> list[str]:
        """How it is started."""
        command = [sys.executable, "-m", "app.core.serve", TARGETS[self._name], "--service", self._name]
        return [*command, "--port", str(self.port), "--workers", str(self._workers)]

    def start(self) -> Self:
        """Start it and wait until it answers."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            wait_until(f"{self._name} answers", self._answers, START_SECONDS)
        except AssertionError:
            self.stop()
            raise AssertionError(f"{self._name} did not start:\n{self.output.read_text()[-3000:]}") from None
        return self

    @property
    def pid(self) -> int:
        """The process that was started: with several workers, their parent."""
        assert self._process is not None, "it doesn't run"
        return self._process.pid

    def stop(self) -> None:
        """End it in order; by force when it takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
        self._process = None

    def records(self, request_id: str = "") -> list[dict[str, Any]]:
        """Its records so far, in the order of time; those of one request, once it is over, when its id is given.

        Tracebacks and access lines are left out.
        """
        if request_id:
            # The answer is on its way before the last record is written.
            wait_until(f"the end of request {request_id} is recorded", lambda: any(map(_is_terminal, self._records(request_id))))
        return self._records(request_id)

    def _records(self, request_id: str) -> list[dict[str, Any]]:
        found = [record for record in spooled(self.spool) if record.get("event") not in ("error.traceback", "http.access")]
        found.sort(key=lambda record: str(record["timestamp"]))
        return [record for record in found if record.get("request_id") == request_id] if request_id else found

    def events(self, request_id: str) -> list[str]:
        """The events of one request, in order."""
        return [str(record.get("event")) for record in self.records(request_id)]

    def get(self, path: str, event_id: str = "") -> httpx.Response:
        """One GET, under an id when one is given."""
        return self._http.get(path, headers={"X-Event-ID": event_id} if event_id else {})

    def post(self, path: str, body: object, event_id: str = "") -> httpx.Response:
        """One POST of a JSON body, under an id when one is given."""
        return self._http.post(path, json=body, headers={"X-Event-ID": event_id} if event_id else {})

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError("it ended")
        return self._http.get("/health/live", timeout=2).status_code == 200

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _is_terminal(record: dict[str, Any]) -> bool:
    return str(record.get("event")) in OUTCOME_EVENTS.values()
