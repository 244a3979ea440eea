"""`nobet up`: from nothing, or from anything in between, to a stack that runs."""

import fcntl
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from app.stack import fingerprint
from app.stack.bring_up import BringUp
from app.stack.choose import Choice, choose, is_wanted
from app.stack.commands import command_of
from app.stack.components import COMPONENTS
from app.stack.crew import Crew
from app.stack.errors import StackError
from app.stack.install import home_of, is_installed
from app.stack.listeners import check_ports
from app.stack.probes import ask
from app.stack.progress import progress
from app.stack.render_servers import render_all
from app.stack.stack import Stack
from app.stack.strays import end_strays
from app.stack.supervisor import Supervisor

_INSTALL_BYTES: Final = 3 * 1024**3
"""Free space that downloads and builds need (Jaeger's build peaks at 2.2 GB)."""

_START_BYTES: Final = 1024**3
"""Free space that servers need; Elasticsearch stops writing below half a gigabyte."""


def up(stack: Stack, console: Console, names: Collection[str] | None = None) -> bool:
    """Bring the stack, or `names` and what they need, to the declared state. Returns False when nothing had to be done.

    Raises StackError with what failed; what did start keeps running.
    """
    stack.paths.create()
    with one_at_a_time(stack):
        choice = choose(stack, names)
        supervisor = Supervisor(stack.paths)
        _stop_unwanted(stack, supervisor)
        everything = choice if names is None else choose(stack, strict=False)
        render_all(stack, everything.chosen, [name for name in everything.chosen if is_building(stack, everything, name)])
        pending = _pending(stack, choice, supervisor)
        if not pending:
            return False
        check_disk(stack, choice)
        if not supervisor.is_running() and (strays := end_strays(stack.paths)):
            console.print(f"Ended {strays} processes that a killed supervisor had left behind.", highlight=False)
        running = {name for name, process in supervisor.processes().items() if process.state in ("RUNNING", "STARTING")}
        check_ports(stack, [chosen.component for name, chosen in choice.chosen.items() if name not in running])
        supervisor.boot()
        crew = Crew(BringUp(stack, supervisor), choice.chosen)
        titles = {name: chosen.component.title for name, chosen in choice.chosen.items()}
        with progress(console, titles) as display:
            crew.run(display)
        _report(console, crew.errors, {name for name in choice.chosen if names is None and choice.chosen[name].component.optional})
        return True


def _stop_unwanted(stack: Stack, supervisor: Supervisor) -> None:
    """End what runs although its setting was taken back."""
    for name, process in supervisor.processes().items():
        if process.pid and name in COMPONENTS and not is_wanted(stack, name):
            supervisor.stop(name)


def _report(console: Console, errors: Mapping[str, str], dispensable: Collection[str]) -> None:
    """Note what the stack can do without; raise StackError for the rest."""
    for name in errors.keys() & set(dispensable):
        console.print(f"Note: {errors[name]}", style="yellow", markup=False, highlight=False)
    required = [text for name, text in errors.items() if name not in dispensable]
    if required:
        raise StackError("\n".join(required) + "\nWhat did start keeps running: `make status` shows it, `make up` tries again.")


@contextmanager
def one_at_a_time(stack: Stack) -> Iterator[None]:
    """Hold the stack's lock, so that two starts or stops don't fight. Raises StackError when somebody else holds it."""
    with (stack.paths.run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError("Another `up` or `down` of this stack is at work. Wait until it has finished and run again.") from None
        yield


def _pending(stack: Stack, choice: Choice, supervisor: Supervisor) -> list[str]:
    """Components that are not running as declared, or do not answer."""
    processes = supervisor.processes()
    if not processes:
        return list(choice.chosen)

    def is_pending(name: str) -> bool:
        process = processes.get(name)
        if process is None or process.state not in ("RUNNING", "STARTING") or not is_current(stack, choice, name):
            return True
        return bool(ask(choice.chosen[name].component.probe, stack)) and not is_building(stack, choice, name)

    with ThreadPoolExecutor(max_workers=8) as pool:
        return [name for name, pending in zip(choice.chosen, pool.map(is_pending, choice.chosen), strict=True) if pending]


def is_current(stack: Stack, choice: Choice, name: str) -> bool:
    """Whether the component was started with today's command, environment, code and configuration."""
    chosen = choice.chosen[name]
    wanted = fingerprint.fingerprint(chosen.component, command_of(stack, chosen.component, chosen.source), stack.paths)
    return fingerprint.recorded(name, stack.paths) == wanted


def is_building(stack: Stack, choice: Choice, name: str) -> bool:
    """Whether the component runs only in order to build itself."""
    chosen = choice.chosen[name]
    return chosen.component.background and not home_of(chosen.source, chosen.component, stack.paths.cache).is_dir()


def check_disk(stack: Stack, choice: Choice) -> None:
    """Raise StackError when there is not enough room to install, or with everything cached to start."""
    installing = [
        chosen.component.title for chosen in choice.chosen.values() if not is_installed(chosen.source, chosen.component, stack.paths.cache)
    ]
    needed, folder, what = (
        (_INSTALL_BYTES, stack.paths.cache, "install the stack") if installing else (_START_BYTES, stack.paths.root, "start the stack")
    )
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StackError(
            f"{free / 1024**3:.1f} GiB are free in {folder}, and {needed // 1024**3} GiB are needed to {what}. "
            "Make room, or set STACK_DIR and STACK_CACHE_DIR to another disk."
        )


def seconds_since(begin: float) -> str:
    """How long something took, for people."""
    took = time.monotonic() - begin
    return f"{took:.1f} s" if took < 60 else f"{int(took // 60)} min {int(took % 60)} s"
