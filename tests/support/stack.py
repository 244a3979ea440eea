"""The native stack for tests: real servers on ports and in folders of their own, started when a test needs them.

Use it from a `conftest.py` with `from tests.support.stack import stack  # noqa: F401`. All tests of a
session share one stack; `stack.need("elasticsearch", "redis")` starts what is not running yet.
It is stopped and removed at the end, after Ctrl-C too. STACK_TEST_KEEP=1 keeps its folder.

While you write end-to-end tests, STACK_TEST_ATTACH=/tmp/some-folder keeps their stack running between runs:
seconds instead of minutes, and only what changed is restarted. End it with `STACK_DIR=/tmp/some-folder/stack nobet down`.
"""

import atexit
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
import pytest
from rich.console import Console

from app.stack.bring_up import log_tail
from app.stack.components import COMPONENTS
from app.stack.down import down
from app.stack.environment import base_environment, client_environment
from app.stack.errors import StackError
from app.stack.listeners import free_offset
from app.stack.paths import CHECKOUT
from app.stack.probes import ask
from app.stack.stack import Stack, open_stack
from app.stack.supervisor import Supervisor
from app.stack.up import up
from tests.support import leftovers
from tests.support.waiting import wait_until

QUICK: Final = {
    "PROMETHEUS_SCRAPE_INTERVAL": "1s",
    "PROMETHEUS_RULE_SCALE": "0.1",
    "ENVIRONMENT": "test",
    "HEALTH_INTERVAL_SECONDS": "2",
    "RATE_LIMIT_PER_MINUTE": "0",
}
"""Settings that let a test see in seconds what takes minutes in production."""

START_SECONDS: Final = 300


class RunningStack:
    """A private stack, and what tests do to it."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        """`settings` are environment variables on top of QUICK."""
        self.folder: Final = folder
        self._settings: Final = {
            **QUICK,
            "STACK_DIR": str(folder / "stack"),
            "STACK_CACHE_DIR": os.environ.get("STACK_CACHE_DIR") or str(CHECKOUT / ".stack" / "cache"),
            "STACK_PORT_OFFSET": str(_offset_of(folder)),
            **(settings or {}),
        }
        self.declared = self._open()
        self._supervisor: Final = Supervisor(self.declared.paths)

    # --- addresses and credentials

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the `nobet` command, or code of ours, talks to this stack."""
        return {**base_environment(), **self._settings, **client_environment(self.declared), "PYTHONPATH": str(CHECKOUT)}

    @property
    def spool(self) -> Path:
        """The spool of its processes."""
        return self.declared.paths.spool

    def port(self, name: str) -> int:
        """The port of a listener, by its name in app.core.ports."""
        return self.declared.port(name)

    def url(self, name: str) -> str:
        """The address of a listener, by its name in app.core.ports."""
        return self.declared.url(name)

    def secret(self, name: str) -> str:
        """A generated secret, by the name of its setting."""
        return self.declared.secret(name)

    def sign_in(self, user: str = "admin") -> tuple[str, str]:
        """User and password of Elasticsearch's nobet_<user>."""
        return f"nobet_{user}", self.secret(f"ELASTICSEARCH_{user.upper()}_PASSWORD")

    def expand(self, template: str) -> str:
        """A template of the component table, such as the app's DATABASE_URL, filled in."""
        return self.declared.expand(template)

    def reopen(self) -> None:
        """Read settings and `.env` again."""
        self.declared = self._open()

    def change(self, **settings: str) -> None:
        """Give settings other values, or none with an empty one. What runs hears of them with the next `need`."""
        self._settings.update(settings)
        self.reopen()

    # --- what runs

    def need(self, *components: str) -> None:
        """Have these components, and what they need, running and ready; no names mean all. Raises StackError."""
        if self.folder != attached_folder():
            leftovers.note(self.folder)
        up(self.declared, Console(quiet=True), components or None)

    def stop(self, component: str) -> None:
        """Stop one component in an orderly way, nothing else."""
        self._supervisor.stop(component)

    def start(self, component: str) -> None:
        """Start a stopped component and wait until it is ready."""
        self._supervisor.start(component)
        self.wait_ready(component)

    def kill(self, component: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a component's main process; returns its pid. The supervisor starts it again."""
        pid = self.pid(component)
        os.kill(pid, number)
        return pid

    def kill_all(self, component: str) -> None:
        """End with -9 a component's process and all its children at once."""
        process = psutil.Process(self.pid(component))
        members = [process, *process.children(recursive=True)]
        for member in members:
            member.kill()
        psutil.wait_procs(members, timeout=30)  # a dying process still answers for a moment

    def pid(self, component: str) -> int:
        """The process id of a running component. Raises AssertionError when it does not run."""
        process = self._supervisor.processes().get(component)
        assert process is not None, f"{component} was never started"
        assert process.pid, f"{component} is {process.state}"
        return process.pid

    def is_ready(self, component: str) -> bool:
        """Whether its readiness probe is content now."""
        return not ask(COMPONENTS[component].probe, self.declared)

    def wait_ready(self, component: str, timeout: float = START_SECONDS) -> None:
        """Wait until it is ready. Raises AssertionError with the end of its log when it does not become so."""
        try:
            wait_until(f"{component} being ready", lambda: self.is_ready(component), timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs(component)}") from error

    def logs(self, component: str, lines: int = 50) -> str:
        """The last lines that it printed."""
        return "\n".join(log_tail(self.declared.paths.log_file(component), lines))

    def close(self) -> None:
        """Stop everything and remove the folder, unless it is to be kept for the next run."""
        if self.folder == attached_folder():
            return
        try:
            down(self.declared, Console(quiet=True))
        except StackError as error:
            raise AssertionError(f"The test stack in {self.folder} did not stop: {error}") from error
        finally:
            leftovers.forget(self.folder)
            if not os.environ.get("STACK_TEST_KEEP"):
                shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self) -> Stack:
        """Read the settings as if the environment held only this stack's."""
        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update({**base_environment(), **self._settings})
            return open_stack(dict(os.environ))
        finally:
            os.environ.clear()
            os.environ.update(before)


def _offset_of(folder: Path) -> int:
    """The offset that a kept stack has already, else one that is free and no other test's."""
    noted = folder / "offset"
    if noted.exists():
        return int(noted.read_text())
    with (Path(tempfile.gettempdir()) / "nobet-offsets.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        noted.write_text(str(offset := free_offset(_promised(folder.parent))))
    return offset


def _promised(beside: Path) -> list[int]:
    """The offsets of the other stacks of tests."""
    found = []
    for other in beside.glob("nobet-*/offset"):
        with suppress(FileNotFoundError):  # that stack is being removed
            found.append(int(other.read_text()))
    return found


def attached_folder() -> Path | None:
    """The folder of the stack that stays between runs, when the developer wants one."""
    folder = os.environ.get("STACK_TEST_ATTACH")
    return Path(folder) if folder else None


def new_stack(**settings: str) -> RunningStack:
    """A stack of one's own, in a short temporary folder because sockets have short paths. Call `close` at the end."""
    return RunningStack(Path(tempfile.mkdtemp(prefix="nobet-")), settings)


def whole_stack(**settings: str) -> RunningStack:
    """The stack of the end-to-end tests: the kept one where there is one, else a new one. Call `close` at the end."""
    folder = attached_folder()
    if folder is None:
        return new_stack(**settings)
    folder.mkdir(parents=True, exist_ok=True)
    return RunningStack(folder, settings)


_shared: RunningStack | None = None


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """The session's stack; starts nothing by itself."""
    global _shared
    if _shared is not None:
        yield _shared
        return
    _shared = new_stack()
    atexit.register(_close_shared)
    yield _shared
    _close_shared()


def _close_shared() -> None:
    global _shared
    if _shared is not None:
        closing, _shared = _shared, None
        closing.close()
