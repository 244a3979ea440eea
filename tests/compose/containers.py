"""A stack of containers for tests: docker-compose.yml as it is in a checkout, started as its users start it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from dotenv import dotenv_values

from app.core.ports import PORTS, local_url, port
from app.stack.environment import base_environment
from app.stack.paths import CHECKOUT
from tests.compose.engine import Engine

ONE_SHOT: Final = {"migrate", "elasticsearch-setup"}
"""Services that do their work and end."""

ANSWER_SECONDS: Final = 60
"""Patience with a single answer: two dozen containers that start at once share two cores."""

PROFILES: Final = {"errors"}
"""What is turned on. Without `acme`: no public authority can reach this machine, so its service would ask nobody."""

_PREPARE: Final = "from app.stack.compose import prepare_files; from app.stack.stack import open_stack; prepare_files(open_stack())"


class Containers:
    """One Compose project and what tests do to it."""

    def __init__(self, engine: Engine, folder: Path, offset: int, **settings: str) -> None:
        """`folder` keeps its .env and secrets, `offset` shifts its ports; `settings` are further variables."""
        self.engine: Final = engine
        self.folder: Final = folder
        self.checkout = CHECKOUT
        self._offset: Final = offset
        self._settings: Final = settings

    @property
    def project(self) -> str:
        """The name of the Compose project, which `nobet` makes from the offset."""
        return f"nobet-{self._offset}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which commands talk to this stack."""
        return {
            **base_environment(),
            **self.engine.environment,
            "STACK_DIR": str(self.folder),
            "STACK_PORT_OFFSET": str(self._offset),
            "COMPOSE_PROJECT_NAME": self.project,
            **{f"PORT_{name.upper()}": str(self.port(name)) for name in PORTS},
            "PYTHONPATH": str(self.checkout),
            **self._settings,
        }

    @property
    def outside(self) -> str:
        """The address at which containers of other networks see this machine; the gateway listens there."""
        return outside_address()

    def port(self, name: str) -> int:
        """A published port, by its name in app.core.ports."""
        return port(name, self._offset)

    def url(self, name: str) -> str:
        """The address of a published port."""
        return local_url(name, self._offset)

    def ask(self, name: str, path: str, **options: Any) -> httpx.Response:
        """The answer of a published port to GET, waited for with patience; `options` are those of httpx."""
        return httpx.get(f"{self.url(name)}{path}", timeout=ANSWER_SECONDS, **options)

    def secret(self, name: str) -> str:
        """A generated secret, by the name of its setting."""
        return str(dotenv_values(self.folder / ".env")[name])

    def sign_in(self, user: str = "admin") -> tuple[str, str]:
        """User and password of Elasticsearch's nobet_<user>."""
        return f"nobet_{user}", self.secret(f"ELASTICSEARCH_{user.upper()}_PASSWORD")

    # --- what its users do

    def nobet(self, *arguments: str) -> str:
        """What a `nobet` command printed. Raises AssertionError when it fails."""
        return self._run([sys.executable, "-m", "app.cli", *arguments])

    def try_nobet(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A `nobet` command that may fail: its exit code and what it printed."""
        return self._try([sys.executable, "-m", "app.cli", *arguments])

    def up(self, *services: str) -> str:
        """`make up MODE=compose`: returns when every service is healthy. Or some services, and what they need."""
        try:
            if not services:
                return self.nobet("up", "--mode", "compose")
            self.prepare()
            return self.compose("up", "-d", "--wait", *services)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._of_the_sick()}") from error

    def prepare(self) -> None:
        """Make the files that containers mount, and start none."""
        self._run([sys.executable, "-c", _PREPARE])

    def compose(self, *arguments: str) -> str:
        """What `docker compose` printed. Raises AssertionError when it fails."""
        return self._run(self._compose(*arguments))

    def remove(self) -> None:
        """Containers, networks and volumes go; images stay."""
        done = self._try(self._compose("--profile", "*", "down", "--volumes", "--timeout", "10"))
        if (self.folder / ".env").exists():  # else nothing was ever started, and the failure that led here is the one to be told
            assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

    # --- what it is like

    def inspect(self) -> dict[str, dict[str, Any]]:
        """Service → what `docker inspect` says of its container, those that have ended included."""
        names = self.engine.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={self.project}").split()
        found = json.loads(self.engine.docker("inspect", *names)) if names else []
        return {item["Config"]["Labels"]["com.docker.compose.service"]: item for item in found}

    def process(self, service: str) -> psutil.Process:
        """The first process of a running container, as this machine sees it."""
        return psutil.Process(self.inspect()[service]["State"]["Pid"])

    def kill(self, service: str) -> None:
        """End a container's first process with -9, as the kernel would; the engine is not told."""
        self.process(service).kill()

    def is_healthy(self, service: str) -> bool:
        """Whether it runs and its health check passes."""
        state = self.inspect()[service]["State"]
        return bool(state["Running"] and state["Health"]["Status"] == "healthy")

    def _of_the_sick(self) -> str:
        sick = [name for name, item in self.inspect().items() if item["State"].get("Health", {}).get("Status") == "unhealthy"]
        failed = [name for name, item in self.inspect().items() if item["State"]["ExitCode"]]
        return "\n".join(self.compose("logs", "--no-color", "--tail", "40", name)[-3000:] for name in {*sick, *failed})

    def _compose(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--env-file", str(self.folder / ".env"), *arguments]

    def _run(self, command: list[str]) -> str:
        done = self._try(command)
        assert done.returncode == 0, f"{' '.join(command[-3:])}: {(done.stdout + done.stderr)[-3000:]}"
        return done.stdout

    def _try(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.checkout, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


def whole(engine: Engine, folder: Path, offset: int, **settings: str) -> Containers:
    """A stack with the profiles on, whose gateway other networks may reach. Call `remove` at the end."""
    cache = os.environ.get("STACK_CACHE_DIR") or str(CHECKOUT / ".stack" / "cache")
    opened = {"STACK_CACHE_DIR": cache, "COMPOSE_PROFILES": ",".join(PROFILES), "GATEWAY_BIND": outside_address()}
    return Containers(engine, folder, offset, **opened, **settings)


def outside_address() -> str:
    """This machine's address in Docker's own bridge network."""
    return next(item.address for item in psutil.net_if_addrs()["docker0"] if item.family is socket.AF_INET)
