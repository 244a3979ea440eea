"""Talks to supervisord, which starts what it is told, restarts what dies and keeps the logs.

Each program has a file of its own in `supervisor.d`, written when the program is
first wanted: where a program lies is known only after its install. supervisord
knows no readiness; that is what `app.stack.bring_up` polls for.
"""

import os
import resource
import subprocess
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psutil
from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from app.stack.commands import Command
from app.stack.environment import base_environment
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.model import Component
from app.stack.paths import StackPaths

_START_SECONDS: Final = 15.0
_WANTED_FILES: Final = 65535
"""Open files that Elasticsearch asks for; as many as the machine allows are asked of the kernel."""

_NO_PROCESS: Final = 10  # supervisor.xmlrpc.Faults.BAD_NAME
_ALREADY_STARTED: Final = 60
_NOT_RUNNING: Final = 70


@dataclass(frozen=True, slots=True)
class Process:
    """What the supervisor knows about a program."""

    name: str
    state: str
    """STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL UNKNOWN"""
    pid: int
    started: int
    now: int
    reason: str


class Supervisor:
    """One supervisord, reached through its socket. Safe to use from several threads."""

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths
        self._changing = threading.Lock()

    def is_running(self) -> bool:
        """Whether supervisord answers."""
        if not self._paths.supervisor_socket.exists():
            return False
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def boot(self) -> None:
        """Start supervisord, detached, unless it runs. Raises StackError when it does not answer in time."""
        if self.is_running():
            return
        self._write_config()
        env = {**base_environment(), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._paths.supervisor_config)]
        done = subprocess.run(command, env=env, cwd=self._paths.run, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_running():
            if done.returncode or time.monotonic() > deadline:
                words = " ".join((done.stderr or done.stdout).split())[-300:]
                raise StackError(f"The supervisor did not start: {words or 'no answer'} (log: {self._paths.log_file('supervisord')})")
            time.sleep(0.05)

    def define(self, component: Component, command: Command) -> None:
        """Make the program known, or known anew when its command changed. It does not run afterwards if it did change."""
        self._paths.run.joinpath(component.name).mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._paths.etc / "supervisor.d" / f"{component.name}.conf"
        with self._changing:
            write_private(path, program_section(component, command, self._paths))
            added, changed, _removed = self._call("reloadConfig")[0]
            if component.name in changed:
                self._call("stopProcessGroup", component.name)
                self._call("removeProcessGroup", component.name)
            if component.name in (*added, *changed):
                self._call("addProcessGroup", component.name)

    def start(self, name: str) -> None:
        """Start a program without waiting for it."""
        self._tolerating(_ALREADY_STARTED, "startProcess", name, False)

    def stop(self, name: str, *, wait: bool = True) -> None:
        """Stop a program; unknown and stopped ones are fine."""
        self._tolerating(_NOT_RUNNING, "stopProcess", name, wait)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a program's process."""
        self._call("signalProcess", name, str(number))

    def processes(self) -> dict[str, Process]:
        """What is known of each program; empty when the supervisor does not run."""
        try:
            answer = self._call("getAllProcessInfo")
        except (OSError, xmlrpc.client.Error):
            return {}
        return {item["name"]: _process(item) for item in answer}

    def shut_down(self, seconds: float = 30) -> None:
        """End supervisord and whatever it still runs, and wait until it is gone. Raises StackError when it stays."""
        pid = int(self._call("getPID"))
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            self._call("shutdown")
            try:
                process.wait(timeout=seconds)
            except psutil.TimeoutExpired:
                raise StackError(f"The supervisor (pid {pid}) did not end in {seconds:.0f} s. End it with: kill {pid}") from None
        self._paths.supervisor_socket.unlink(missing_ok=True)

    def _write_config(self) -> None:
        paths = self._paths
        (paths.etc / "supervisor.d").mkdir(mode=0o700, exist_ok=True)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = _WANTED_FILES if limit == resource.RLIM_INFINITY else min(_WANTED_FILES, limit)
        text = (
            f"[unix_http_server]\nfile={paths.supervisor_socket}\nchmod=0600\n\n"
            f"[supervisord]\nlogfile={_escaped(paths.log_file('supervisord'))}\nlogfile_maxbytes=10MB\nlogfile_backups=1\n"
            f"pidfile={_escaped(paths.run / 'supervisord.pid')}\nchildlogdir={_escaped(paths.log)}\nnocleanup=true\n"
            f"umask=077\nminfds={files}\n" + ("user=root\n" if os.geteuid() == 0 else "") + "\n"
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\n"
            f"[include]\nfiles={_escaped(paths.etc / 'supervisor.d')}/*.conf\n"
        )
        write_private(paths.supervisor_config, text)

    def _tolerating(self, code: int, method: str, *arguments: Any) -> None:
        try:
            self._call(method, *arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in (code, _NO_PROCESS):
                raise StackError(f"The supervisor refused {method} {arguments[0]}: {fault.faultString}") from None

    def _call(self, method: str, *arguments: Any) -> Any:
        # A connection per call: the library's transport must not be shared between threads.
        transport = SupervisorTransport(None, None, f"unix://{self._paths.supervisor_socket}")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()


def program_section(component: Component, command: Command, paths: StackPaths) -> str:
    """The supervisor's section for one program. It holds secrets in `environment`: the file must be private."""
    stop_group = "true" if component.background else "false"  # a build has children that must end with it
    return (
        f"[program:{component.name}]\n"
        f"command={' '.join(_quoted(part) for part in command.argv)}\n"
        f"directory={_escaped(command.folder)}\n"
        f"environment={_environment(command.env)}\n"
        f"stdout_logfile={_escaped(paths.log_file(component.name))}\nstdout_logfile_maxbytes=20MB\nstdout_logfile_backups=1\n"
        "redirect_stderr=true\nautostart=false\nautorestart=true\nstartsecs=2\nstartretries=8\n"
        f"stopsignal={component.stop_signal}\nstopwaitsecs={component.stop_seconds}\n"
        f"stopasgroup={stop_group}\nkillasgroup=true\n"
    )


def _environment(env: Mapping[str, str]) -> str:
    return ",".join(f"{name}={_quoted_value(name, value)}" for name, value in sorted(env.items()))


def _quoted_value(name: str, value: str) -> str:
    """A value in quotes; the supervisor's format knows no escapes, so a few texts can't be written."""
    mark = "'" if '"' in value else '"'
    if mark in value or value.strip("'\"") != value or any(part in value for part in ("\n", "\r", " ;", " #")):
        raise StackError(
            f"{name} can't be handed to a process: it has a line break, both kinds of quotes, a quote at an end, or ' ;' or ' #' in it."
        )
    return f"{mark}{_escaped(value)}{mark}"


def _escaped(text: object) -> str:
    return str(text).replace("%", "%%")


def _quoted(text: str) -> str:
    """A word for the supervisor's shell-like splitting."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_escaped(escaped)}"' if text == "" or any(mark in text for mark in " \t\n\"'\\;#") else _escaped(text)


def _process(item: Mapping[str, Any]) -> Process:
    return Process(
        item["name"], item["statename"], int(item["pid"]), int(item["start"]), int(item["now"]), item["spawnerr"] or item["description"]
    )
