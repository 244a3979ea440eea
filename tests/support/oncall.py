"""Replicas of the on-call service as processes over one database, and the people, chats and pagers that they call."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import psutil
import yaml

from tests.support.processes import bare_environment, free_port
from tests.support.receiver import Asked, Receiver, Reply
from tests.support.waiting import wait_until

TOKEN: Final = "t" * 32
PASSWORD: Final = "correct horse battery"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}
TABLES: Final = "oncall_notifications, oncall_timeline, oncall_alerts, oncall_beats, oncall_incidents, oncall_version"
START_SECONDS: Final = 60


def escalation(*levels: list[str], wait: str = "15m") -> dict[str, Any]:
    """A policy with one escalation for everything."""
    steps = [{"notify": level, "wait": wait} for level in levels]
    return {"escalations": {"page": {"levels": steps, "rounds": 1}}, "routes": [{"escalation": "page"}]}


def alert(name: str, *, firing: bool = True, started: float = 0.0, severity: str = "critical", **labels: str) -> dict[str, Any]:
    """An alert as Alertmanager tells it."""
    moment = datetime.fromtimestamp(started or time.time(), UTC)
    return {
        "status": "firing" if firing else "resolved",
        "labels": {"alertname": name, "service": "app", "env": "test", "severity": severity, **labels},
        "annotations": {"summary": f"{name} is up to something.", "runbook_url": "https://example.com/runbook"},
        "startsAt": moment.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z" if firing else datetime.fromtimestamp(time.time(), UTC).isoformat(),
        "generatorURL": "http://127.0.0.1:9090/graph",
    }


class Replica:
    """One process. It can be killed and started again at will."""

    def __init__(self, start: Callable[[int], int]) -> None:
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}"
        self._start: Final = start
        self.pid = 0

    def start(self) -> Self:
        """Begin to start it; `wait` waits until it answers."""
        self.pid = self._start(self.port)
        return self

    def wait(self) -> Self:
        """Until it is ready."""
        wait_until("the replica is ready", lambda: httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200, START_SECONDS)
        return self

    def kill(self) -> None:
        """With -9: nothing is put in order."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            wait_until("the replica's end, which frees its port", lambda: not psutil.pid_exists(self.pid))
            self.pid = 0

    def post(self, *alerts: dict[str, Any], timeout: float = 30) -> httpx.Response:
        """What Alertmanager posts."""
        body = {"version": "4", "receiver": "oncall", "alerts": list(alerts)}
        return httpx.post(f"{self.url}/api/alerts", json=body, headers=BEARER, timeout=timeout)

    def incidents(self) -> list[dict[str, Any]]:
        """All of them, the open ones first."""
        found: list[dict[str, Any]] = self._ask("/api/incidents?all=true&limit=1000")
        return found

    def incident(self, ident: str) -> dict[str, Any]:
        """One with its alerts, messages and timeline."""
        found: dict[str, Any] = self._ask(f"/api/incidents/{ident}")
        return found

    def _ask(self, path: str) -> Any:
        return httpx.get(f"{self.url}{path}", headers=BEARER, timeout=30).raise_for_status().json()


class Replicas:
    """Starts replicas for as long as the block lasts."""

    def __init__(
        self, folder: Path, database: str, policy: dict[str, Any], *, claim: float = 10.0, attempt: float = 6.0, **env: str
    ) -> None:
        """`claim` and `attempt` take the place of CLAIM_SECONDS and TRY_SECONDS; `env` are settings on top of the usual ones."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yml").write_text(yaml.safe_dump(policy))
        self._folder: Final = folder
        self._times: Final = {"claim": claim, "try": attempt}
        self._env: Final = {
            "ENVIRONMENT": "test",
            "LOG_STDOUT": "false",
            "SPOOL_DIR": str(folder / "spool"),
            "DATABASE_URL": database,
            "ONCALL_POLICY": str(folder / "policy.yml"),
            "ONCALL_TOKEN": TOKEN,
            "ONCALL_PASSWORD": PASSWORD,
            "ONCALL_LINK_KEY": "k" * 32,
            "ONCALL_WATCHDOG_SECONDS": "0",
            "PROMETHEUS_URL": "http://127.0.0.1:9",
            "ALERTMANAGER_URL": "http://127.0.0.1:9",
            **env,
        }
        self._all: Final[list[Replica]] = []

    def new(self) -> Replica:
        """One more, begun to start."""
        self._all.append(Replica(self._fork))
        return self._all[-1].start()

    def _fork(self, port: int) -> int:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        wanted = {"port": port, "env": {**self._env, "ONCALL_PUBLIC_URL": f"http://127.0.0.1:{port}"}, **self._times}
        self._parent.stdin.write(json.dumps(wanted) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def __enter__(self) -> Self:
        with (self._folder / "output.log").open("ab") as output:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.support.oncall_replica"],
                env=bare_environment(),
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for replica in self._all:
            replica.kill()
        self._parent.communicate()


@dataclass(frozen=True)
class Told:
    """A page that arrived: what it was about, at which address, when its request came."""

    what: str
    incident: str
    episode: int
    kind: str
    at: float


class Phone(Receiver):
    """Whom webhook contacts call. It takes its time, so that who calls can be killed on the way."""

    def __init__(self, seed: int = 0, slowest: float = 0.0) -> None:
        self.told: Final[list[Told]] = []
        self.hang: threading.Event | None = None
        """While it is set to an event, requests wait for that event and are then not taken."""
        self.hanging: Final = threading.Event()
        self._random: Final = random.Random(seed)
        self._slowest: Final = slowest
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """Keep it, then answer after a while."""
        if (hang := self.hang) is not None:
            self.hanging.set()
            hang.wait(60)
            return Reply(500)
        if asked.method == "GET":  # whether Prometheus is ready
            return Reply(200)
        said = json.loads(asked.body)
        self.told.append(Told(f"{asked.path} {said['alert']}", said["incident"], said["episode"], said["kind"], time.time()))
        time.sleep(self._random.uniform(0, self._slowest))
        return Reply(200)

    def contact(self, place: str = "") -> str:
        """What to write into a policy."""
        return f"webhook:http://{self.address}/{place}"

    def pages(self) -> Counter[str]:
        """How many pages came about each alert at each place."""
        return Counter(told.what for told in list(self.told) if told.kind == "page")


class ScriptedSlack(Receiver):
    """A Slack that answers what the script says, then takes everything."""

    def __init__(self, *script: Reply) -> None:
        self.asked_at: Final[list[float]] = []
        self.taken: Final[list[dict[str, Any]]] = []
        self._script: Final = list(script)
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """The next line of the script."""
        self.asked_at.append(time.monotonic())
        if self._script:
            return self._script.pop(0)
        self.taken.append(json.loads(asked.body))
        return Reply(200, b"ok", "text/plain")

    @property
    def url(self) -> str:
        """For SLACK_WEBHOOK_URL."""
        return f"http://{self.address}/services/T0/B0/secret-path"
