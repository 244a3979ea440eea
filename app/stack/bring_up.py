"""Installs and starts one component: waits for what it needs, starts it, polls until it is ready."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.request import Request, urlopen

from app.stack import fingerprint
from app.stack.choose import Chosen
from app.stack.commands import command_of
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.install import home_of, install, is_installed
from app.stack.launch import BUILD_ENVIRONMENT, build_environment
from app.stack.model import Component
from app.stack.prepare import prepare
from app.stack.probes import ask
from app.stack.stack import Stack
from app.stack.supervisor import Supervisor

_POLL_SECONDS: Final = 0.25
_LOG_LINES: Final = 5
_DEATHS_TOLERATED: Final = 3
"""A program that died so often while it should become ready is in a crash loop."""

Tell = Callable[[str, str], None]
"""Is told of each step: state (installing, starting, …) and detail."""


@dataclass(frozen=True, slots=True)
class BringUp:
    """The steps from declaration to readiness, each with its own message when it fails."""

    stack: Stack
    supervisor: Supervisor

    def install(self, chosen: Chosen, tell: Tell) -> None:
        """Get what the component runs from. A background component does that itself, later."""
        component, cache = chosen.component, self.stack.paths.cache
        if not component.background and not is_installed(chosen.source, component, cache):
            tell("installing", "")
            install(chosen.source, component, cache, lambda text: tell("installing", text))

    def start(self, chosen: Chosen, tell: Tell) -> None:
        """Start, restart or reload as what changed demands. What runs unchanged is left alone."""
        component = chosen.component
        home = home_of(chosen.source, component, self.stack.paths.cache)
        command = command_of(self.stack, component, chosen.source)
        wanted = fingerprint.fingerprint(component, command, self.stack.paths)
        known = fingerprint.recorded(component.name, self.stack.paths)
        if self.is_up(component.name):
            if known == wanted or (component.background and not is_installed(chosen.source, component, self.stack.paths.cache)):
                return  # a build goes on; the next `up` applies what changed
            if known and known.process == wanted.process and component.reload_path:
                tell("reloading", "its configuration changed")
                reload_config(self.stack, component)
                fingerprint.record(component.name, wanted, self.stack.paths)
                return
            tell("restarting", "what it runs with changed")
            self.supervisor.stop(component.name)
        else:
            tell("preparing", "")
        self.supervisor.stop(component.name)
        prepare(self.stack, component, home)
        if component.background:
            write_private(self.stack.paths.run / component.name / BUILD_ENVIRONMENT, json.dumps(build_environment()))
        self.supervisor.define(component, command)
        tell("starting", "")
        self.supervisor.start(component.name)
        fingerprint.record(component.name, wanted, self.stack.paths)

    def is_up(self, name: str) -> bool:
        """Whether the supervisor runs the program, ready or not."""
        process = self.supervisor.processes().get(name)
        return process is not None and process.state in ("STARTING", "RUNNING")

    def wait_ready(self, chosen: Chosen, tell: Tell) -> None:
        """Poll until the probe is content. Raises StackError that names the component, the time-out and its last log lines."""
        component = chosen.component
        begin = time.monotonic()
        pids: set[int] = set()
        while True:
            reason = ask(component.probe, self.stack)
            process = self.supervisor.processes().get(component.name)
            if process is None:
                raise StackError(f"{component.title} was stopped while it started.")
            if not reason and process.state in ("STARTING", "RUNNING"):
                return
            pids |= {process.pid} if process.pid else set()
            if process.state == "FATAL" or len(pids) > _DEATHS_TOLERATED:
                raise StackError(f"{component.title} keeps ending right after its start. {self.last_words(component.name)}")
            if component.background and not is_installed(chosen.source, component, self.stack.paths.cache):
                tell("building", "in the background; `make status` shows when it is there")
                begin = time.monotonic()
            if time.monotonic() - begin > component.ready_seconds:
                raise StackError(
                    f"{component.title} was not ready within {component.ready_seconds:.0f} s: {reason or process.state}. "
                    f"{self.last_words(component.name)}"
                )
            time.sleep(_POLL_SECONDS)

    def last_words(self, name: str) -> str:
        """The end of a component's log, as part of a message."""
        path = self.stack.paths.log_file(name)
        return f"Last lines of {path}:\n" + "\n".join(f"    {line[:300]}" for line in log_tail(path, _LOG_LINES))


def log_tail(path: "object", lines: int) -> list[str]:
    """The last lines of a log file; empty when there is none."""
    try:
        with open(str(path), "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 64 * 1024))
            return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()][-lines:]
    except OSError:
        return []


def reload_config(stack: Stack, component: Component) -> None:
    """Ask a running server to read its configuration again. Raises StackError with its answer when it refuses."""
    request = Request(stack.url(component.ports[0]) + component.reload_path, method="POST")  # noqa: S310 (loopback)
    try:
        urlopen(request, timeout=30).close()  # noqa: S310
    except OSError as error:
        said = error.read().decode(errors="replace").strip() if hasattr(error, "read") else str(error)
        raise StackError(f"{component.title} refuses its new configuration: {said}. It goes on with the old one.") from None
