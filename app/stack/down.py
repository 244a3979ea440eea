"""`nobet down`: stops everything in reverse order and leaves nothing running; the data stays."""

import os
import signal
import time
from contextlib import suppress
from typing import Final

from rich.console import Console

from app.stack.components import COMPONENTS
from app.stack.launch import group_members
from app.stack.order import waves
from app.stack.progress import Progress, progress
from app.stack.stack import Stack
from app.stack.supervisor import Process, Supervisor
from app.stack.up import one_at_a_time

_LIVE: Final = ("RUNNING", "STARTING", "BACKOFF", "STOPPING")
_POLL_SECONDS: Final = 0.1
_MARGIN_SECONDS: Final = 5.0
"""After its own stop time the supervisor kills; so long it may take to notice."""


def down(stack: Stack, console: Console) -> bool:
    """Stop all components, then the supervisor. Returns False when nothing ran. Raises StackError when something stays."""
    supervisor = Supervisor(stack.paths)
    if not supervisor.is_running():
        stack.paths.supervisor_socket.unlink(missing_ok=True)
        return False
    with one_at_a_time(stack):
        running = {name: process for name, process in supervisor.processes().items() if process.state in _LIVE}
        groups = {process.pid for process in running.values() if process.pid}
        titles = {name: COMPONENTS[name].title for name in running if name in COMPONENTS}
        with progress(console, titles) as display:
            for wave in reversed(waves(COMPONENTS[name] for name in titles)):
                _stop_wave(supervisor, wave, display)
        supervisor.shut_down()
        _end_strays(groups)
    return True


def _stop_wave(supervisor: Supervisor, names: list[str], display: Progress) -> None:
    """Stop independent components at once; each has its own time, after which the supervisor kills it."""
    for name in names:
        display.tell(name, "stopping")
        supervisor.stop(name, wait=False)
    left = set(names)
    deadline = time.monotonic() + max(COMPONENTS[name].stop_seconds for name in names) + _MARGIN_SECONDS
    while left and time.monotonic() < deadline:
        processes = supervisor.processes()
        for name in sorted(left):
            if not _lives(processes.get(name)):
                display.tell(name, "stopped")
                left.discard(name)
        display.tick()
        time.sleep(_POLL_SECONDS)


def _lives(process: Process | None) -> bool:
    return process is not None and process.state in _LIVE


def _end_strays(groups: set[int]) -> None:
    """End what is left of the programs' process groups; normally nothing is."""
    for group in groups:
        if group_members(group):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
