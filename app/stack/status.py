"""`nobet status`: what runs, how healthy it is, and what it takes."""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.stack.bring_up import log_tail
from app.stack.choose import Choice, choose, is_wanted
from app.stack.components import COMPONENTS
from app.stack.memory import tree_bytes
from app.stack.probes import ask
from app.stack.stack import Stack
from app.stack.supervisor import Process, Supervisor
from app.stack.up import is_building, is_current

HEALTHY: Final = "healthy"
_SPAWNED: Final = re.compile(r"(?:spawned: '(?P<spawned>[\w-]+)'|stopped: (?P<stopped>[\w-]+) |supervisord started)")


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One line of the table."""

    name: str
    title: str
    state: str
    """healthy · building · starting · unhealthy · stopped · failed · skipped"""
    detail: str
    optional: bool
    address: str
    pid: int
    memory_bytes: int
    uptime_seconds: int
    restarts: int

    @property
    def is_fine(self) -> bool:
        """Whether nobody needs to do anything about it."""
        return self.state in (HEALTHY, "skipped") or (self.optional and self.state in ("building", "starting", "stopped"))


def native_status(stack: Stack) -> list[ComponentStatus]:
    """The state of every component now, asked live."""
    choice = choose(stack, strict=False)  # status must always answer
    processes = Supervisor(stack.paths).processes()
    restarts = count_restarts(stack.paths.log_file("supervisord"))
    with ThreadPoolExecutor(max_workers=8) as pool:
        names = [name for name in COMPONENTS if is_wanted(stack, name)]
        return list(pool.map(lambda name: _status(stack, choice, name, processes.get(name), restarts.get(name, 0)), names))


def count_restarts(log: Path) -> dict[str, int]:
    """Restarts by the supervisor since each program was last started on purpose, read from its log."""
    spawned: dict[str, int] = {}
    for line in _lines(log):
        match = _SPAWNED.search(line)
        if match is None:
            continue
        if match["spawned"]:
            spawned[match["spawned"]] = spawned.get(match["spawned"], 0) + 1
        elif match["stopped"]:
            spawned.pop(match["stopped"], None)
        else:
            spawned.clear()
    return {name: count - 1 for name, count in spawned.items()}


def _lines(log: Path) -> Iterable[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()


def _status(stack: Stack, choice: Choice, name: str, process: Process | None, restarts: int) -> ComponentStatus:
    component = COMPONENTS[name]
    state, detail = _state(stack, choice, name, process)
    runs = process is not None and process.pid > 0
    return ComponentStatus(
        name=name,
        title=component.title,
        state=state,
        detail=detail,
        optional=component.optional,
        address=f"{stack.url(component.ports[0])}{component.page}" if component.page else f"127.0.0.1:{stack.port(component.ports[0])}",
        pid=process.pid if process and runs else 0,
        memory_bytes=tree_bytes(process.pid) if process and runs else 0,
        uptime_seconds=max(0, process.now - process.started) if process and runs else 0,
        restarts=restarts,
    )


def _state(stack: Stack, choice: Choice, name: str, process: Process | None) -> tuple[str, str]:
    if name in choice.skipped:
        return "skipped", choice.skipped[name]
    if process is None or process.state in ("STOPPED", "EXITED"):
        return "stopped", ""
    if process.state in ("FATAL", "BACKOFF"):
        return "failed", f"{process.reason}; see {stack.paths.log_file(name)}"
    if is_building(stack, choice, name):
        return _build_state(stack, name)
    reason = ask(COMPONENTS[name].probe, stack)
    if not reason:
        return HEALTHY, "" if is_current(stack, choice, name) else "outdated: make up applies changes"
    starting = process.now - process.started < COMPONENTS[name].ready_seconds
    return ("starting" if starting else "unhealthy"), reason


def _build_state(stack: Stack, name: str) -> tuple[str, str]:
    """Whether the build goes on or failed: the launcher's last line says it."""
    last = " ".join(log_tail(stack.paths.log_file(name), 1))
    return ("failed", f"{last} (it tries again)") if " failed: " in last else ("building", "starts by itself when it is built")
