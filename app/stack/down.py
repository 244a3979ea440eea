"""`nobet down`: stops everything in reverse order and leaves nothing running; the data stays."""

import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.order import stop_waves
from app.stack.progress import Progress, progress
from app.stack.stack import Stack
from app.stack.strays import end_strays
from app.stack.supervisor import Process, Supervisor
from app.stack.up import one_at_a_time

_LIVE: Final = ("RUNNING", "STARTING", "BACKOFF", "STOPPING")
_POLL_SECONDS: Final = 0.1
_MARGIN_SECONDS: Final = 5.0
"""After its own stop time the supervisor kills; so long it may take to notice."""


def down(stack: Stack, console: Console) -> bool:
    """Stop all components, then the supervisor. Returns False when nothing ran. Raises StackError when something stays."""
    supervisor = Supervisor(stack.paths)
    if not stack.paths.run.is_dir():
        return False
    with one_at_a_time(stack):
        supervised = supervisor.is_running()
        if supervised:
            _stop_all(supervisor, console)
            supervisor.shut_down()
        stack.paths.supervisor_socket.unlink(missing_ok=True)
        strays = end_strays(stack.paths)
        if strays:
            console.print(f"Ended {strays} processes that nobody supervised any more.", highlight=False)
    return supervised or strays > 0


def stop_components(stack: Stack, names: Sequence[str]) -> None:
    """Stop these and nothing else; nobody restarts them until `up`. Raises StackError for names that nothing runs under."""
    supervisor = Supervisor(stack.paths)
    running = [name for name, process in supervisor.processes().items() if _lives(process)]
    idle = [name for name in names if name not in running]
    if idle:
        raise StackError(f"Nothing runs as {', '.join(idle)}. Running are: {', '.join(sorted(running)) or 'none'}.")
    for name in names:
        supervisor.stop(name)


def _stop_all(supervisor: Supervisor, console: Console) -> None:
    titles = {name: COMPONENTS[name].title for name, process in supervisor.processes().items() if _lives(process) and name in COMPONENTS}
    with progress(console, titles) as display:
        for wave in stop_waves(COMPONENTS[name] for name in titles):
            _stop_wave(supervisor, wave, display)


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
