"""Undoes faults: each step of the journal by the name of its action. What a fault and its undoing share is here, too."""

import base64
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from app.stack.bring_up import reload_config
from app.stack.choose import choose
from app.stack.commands import command_of
from app.stack.components import COMPONENTS
from app.stack.drill.journal import Step
from app.stack.environment import base_environment, environment
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.probes import ask
from app.stack.stack import Stack
from app.stack.supervisor import Supervisor

READY_SECONDS: Final = 400.0
_SAME_PROCESS_SECONDS: Final = 1.0
_COMMAND_SECONDS: Final = 600.0


class Undoing:
    """Puts one stack back in order."""

    def __init__(self, stack: Stack) -> None:
        self.stack: Final = stack
        self.supervisor: Final = Supervisor(stack.paths)
        self.http: Final = httpx.Client(timeout=30, trust_env=False)
        self._actions: Final[dict[str, Callable[[str, Step], object]]] = {
            "start": lambda what, _step: self.start(what),
            "restart": lambda what, _step: self.restart(what),
            "continue": lambda _what, step: _resume(living(step["pids"])),
            "define": lambda what, _step: self.define(what, {}),
            "write": self._put_back,
            "reload": lambda what, _step: self.reload(what),
            "move": lambda what, step: _move_back(Path(what), Path(step["to"])),
            "end": lambda _what, step: _end(living(step["pids"])),
            "elasticsearch": lambda what, step: self.ask_elasticsearch(step["method"], what, step["body"]),
            "knobs": lambda _what, step: self.ask_voice("PATCH", step["body"]),
            "clean up": lambda what, _step: self.own(what, ["run"]),
            "back up": lambda what, _step: self.back_up(what),
        }

    def perform(self, step: Step) -> None:
        """Undo one step. Raises StackError, OSError or httpx.HTTPError when it can't be undone."""
        self._actions[step["do"]](str(step["what"]), step)

    def start(self, component: str) -> None:
        """Start it and wait until it answers."""
        self.supervisor.start(component)
        self.wait_ready(component)

    def restart(self, component: str) -> None:
        """Stop and start it."""
        self.supervisor.stop(component)
        self.start(component)

    def define(self, component: str, variables: Mapping[str, str]) -> None:
        """Restart it with these environment variables changed; `{NAME}` in the value of NAME is what it would be otherwise."""
        chosen = choose(self.stack, [component], strict=False).chosen[component]
        command = command_of(self.stack, chosen.component, chosen.source)
        filled = {name: value.replace("{" + name + "}", command.env.get(name, "")) for name, value in variables.items()}
        self.supervisor.stop(component)
        self.supervisor.define(chosen.component, replace(command, env={**command.env, **filled}))
        self.supervisor.start(component)
        if not variables:
            self.wait_ready(component)

    def reload(self, component: str) -> None:
        """Let it read its configuration again. Raises StackError when it refuses."""
        if component:
            reload_config(self.stack, COMPONENTS[component])

    def ask_elasticsearch(self, method: str, path: str, body: Any) -> httpx.Response:
        """A request of its administrator. Raises StackError for a refusal; what is not there is fine."""
        auth = ("nobet_admin", self.stack.secret("ELASTICSEARCH_ADMIN_PASSWORD"))
        answer = self.http.request(method, f"{self.stack.url('elasticsearch')}/{path}", json=body, auth=auth)
        if answer.status_code >= 400 and answer.status_code != 404:
            raise StackError(f"Elasticsearch refuses {method} {path}: {answer.text[:300]}")
        return answer

    def ask_voice(self, method: str, body: Any = None) -> httpx.Response:
        """Read or turn the knobs of the voice service. Raises httpx.HTTPStatusError for a refusal."""
        headers = {"Authorization": f"Bearer {self.stack.secret('METRICS_TOKEN')}"}
        return self.http.request(method, f"{self.stack.url('voice')}/admin/knobs", json=body, headers=headers).raise_for_status()

    def own(self, component: str, arguments: Sequence[str], **variables: str) -> int:
        """A command of one of our processes, with its settings and these; its exit code."""
        env = {**base_environment(), **environment(self.stack, COMPONENTS[component], None), **variables}
        command = [sys.executable, "-m", f"app.{component}", *arguments]
        return subprocess.run(command, env=env, capture_output=True, timeout=_COMMAND_SECONDS, check=False).returncode

    def back_up(self, folder: str) -> int:
        """`nobet backup` into a folder; its exit code."""
        env = {**base_environment(), **{name: str(self.stack.explicit[name]) for name in self.stack.explicit}}
        command = [sys.executable, "-m", "app.cli", "backup", "--mode", "native", "--to", folder]
        return subprocess.run(command, env=env, capture_output=True, timeout=_COMMAND_SECONDS, check=False).returncode

    def wait_ready(self, component: str) -> None:
        """Wait until it answers. Raises StackError when it does not."""
        deadline = time.monotonic() + READY_SECONDS
        while reason := ask(COMPONENTS[component].probe, self.stack):
            if time.monotonic() > deadline:
                raise StackError(f"{component} was not ready within {READY_SECONDS:.0f} s: {reason}")
            time.sleep(0.25)

    def _put_back(self, what: str, step: Step) -> None:
        if step["content"] is None:
            Path(what).unlink(missing_ok=True)
        else:
            write_private(Path(what), base64.b64decode(step["content"]))
        self.reload(step["reload"])


def identities(processes: Sequence[psutil.Process]) -> list[list[float]]:
    """What `living` knows them by."""
    return [[process.pid, process.create_time()] for process in processes]


def living(pids: Sequence[Sequence[float]]) -> list[psutil.Process]:
    """The processes that these are still: an id is used again by strangers."""
    found = []
    for pid, created in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(pid))
            if abs(process.create_time() - created) < _SAME_PROCESS_SECONDS:
                found.append(process)
    return found


def _resume(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        process.resume()


def _end(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        process.kill()
        process.wait(30)


def _move_back(path: Path, home: Path) -> None:
    if path.exists():
        path.rename(home)
