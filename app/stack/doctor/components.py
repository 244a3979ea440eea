"""The processes or containers of the stack: which are not healthy, and why, as far as their own last words tell."""

import re
from collections.abc import Mapping
from typing import Any, Final

from app.stack.bring_up import log_tail
from app.stack.compose import compose, compose_status, is_healthy
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Check, Finding, Scene
from app.stack.doctor.running import log_of, restart, start_again
from app.stack.errors import StackError
from app.stack.mode import Mode
from app.stack.status import ComponentStatus, native_status

_LINES: Final = 40
_LONGEST: Final = 200

_STOPPED: Final = (0, 143)
"""Exit codes of a server that was asked to end: well, and 128 + SIGTERM, as Java gives."""

_MEANINGS: Final[tuple[tuple[str, str, str], ...]] = (
    (r"no space left on device", "The disk is full.", "Make room; `df -h` shows where."),
    (
        r"address already in use",
        "Another program has its port.",
        "Stop that one, or set STACK_PORT_OFFSET in .env. The row `ports` names it.",
    ),
    (
        r"permission denied|accessdenied",
        "It may not read or write one of its files.",
        "Give its folder to its user: ls -ln shows whose it is.",
    ),
    (
        r"java\.lang\.outofmemoryerror|cannot allocate memory|oomkilled",
        "It ran out of memory.",
        "End other programs or give the machine more.",
    ),
    (r"max virtual memory areas", "vm.max_map_count is too low.", "sysctl -w vm.max_map_count=262144"),
    (
        r"password authentication failed|wrongpass|invalid username-password",
        "A password in .env is not the one that the store was made with.",
        "`make up` hands out the present passwords again.",
    ),
    (
        r"database files are incompatible|incompatible.*version|was initialized by postgresql",
        "Its data is of another version of the program.",
        "Take the old version, dump with it, and restore; or `make clean` for a new start without the data.",
    ),
    (
        r"configerror|validation error|error loading config|invalid configuration",
        "Its settings can't be used.",
        "Its log names the setting.",
    ),
)
"""What a program's last words mean: pattern, cause, fix."""


def component_checks() -> tuple[Check, ...]:
    """One row for all: a row for each would hide the rest."""
    return (Check("processes", "stack", processes),)


def processes(scene: Scene) -> list[Finding]:
    """Everything that should run runs and is ready."""
    return _native(scene) if scene.mode is Mode.NATIVE else _compose(scene)


def _native(scene: Scene) -> list[Finding]:
    statuses = native_status(scene.stack)
    wanted = [status for status in statuses if status.state != "skipped"]
    if all(status.state == "stopped" for status in wanted):
        return problem("The stack does not run.", "It was not started, or it was stopped.", "make up")
    found: list[Finding] = []
    for status in wanted:
        if status.state == "healthy" and not status.detail:
            continue
        found += _of_status(scene, status)
    return found or ok(f"{len(wanted)} components run and are ready.")


def _of_status(scene: Scene, status: ComponentStatus) -> list[Finding]:
    what = f"{status.title} is {status.state}{f': {status.detail}' if status.detail else ''}."
    if status.state == "healthy":
        return note(what, "make up")
    if status.state in ("building", "starting"):
        return note(what, "Wait; `nobet status` shows when it is ready.")
    if status.state == "stopped":
        why = "Somebody stopped it, or it was never started."
        return note(what, start_again(scene, status.name)) if status.is_fine else problem(what, why, start_again(scene, status.name))
    if status.state == "unhealthy":
        waits = "did not answer" in status.detail
        why = "Its process runs and does not work: it hangs, or is stopped by a signal." if waits else _last_words(scene, status.name)[0]
        return problem(what, why, restart(scene, status.name))
    why, fix = _last_words(scene, status.name)
    return problem(what, why, fix or start_again(scene, status.name))


def _compose(scene: Scene) -> list[Finding]:
    services = compose_status(scene.stack)
    if not services:
        return problem("The stack does not run.", "It was not started, or it was stopped.", "make up MODE=compose")
    found: list[Finding] = []
    for service in services:
        if not is_healthy(service):
            found += _of_service(scene, service)
    return found or ok(f"{len(services)} containers run and are healthy.")


def _of_service(scene: Scene, service: Mapping[str, Any]) -> list[Finding]:
    name = str(service.get("Service"))
    state = str(service.get("Health") or service.get("State"))
    what = f"The container {name} is {state}."
    if state == "starting":
        return note(what, "Wait; `nobet status` shows when it is healthy.")
    if service.get("State") == "paused":
        return problem(what, "Somebody paused it.", f"docker compose unpause {name}")
    if state == "missing":
        return problem(what, "It was removed, or never made.", f"docker compose up -d {name}")
    if state == "exited" and service.get("ExitCode") in _STOPPED:
        return problem(f"The container {name} is stopped.", "Somebody stopped it.", f"docker compose up -d {name}")
    why, fix = _last_words(scene, name)
    if service.get("ExitCode") == 137:  # 128 + SIGKILL
        why, fix = (
            "It was killed, most likely for its memory limit.",
            "Raise its mem_limit in docker-compose.yml; `docker inspect` says OOMKilled.",
        )
    return problem(what, why, fix or f"docker compose up -d {name}")


def _last_words(scene: Scene, component: str) -> tuple[str, str]:
    """Cause and fix that the end of its log suggests; an empty fix when nothing is known."""
    lines = _log(scene, component)
    for line in reversed(lines):
        for pattern, cause, fix in _MEANINGS:
            if re.search(pattern, line, re.IGNORECASE):
                return cause, fix
    telling = [line for line in lines if re.search(r"error|fatal|fail|denied|refused|panic", line, re.IGNORECASE)] or lines
    last = " ".join(telling[-1].split())[:_LONGEST] if telling else "it said nothing"
    return f"Its last words: {last} (all of it: {log_of(scene, component)})", ""


def _log(scene: Scene, component: str) -> list[str]:
    if scene.mode is Mode.NATIVE:
        return log_tail(scene.stack.paths.log_file(component), _LINES)
    try:
        said = compose(scene.stack, "logs", "--no-color", "--tail", str(_LINES), component, what="Reading the log", capture=True)
    except StackError:
        return []
    return said.splitlines()
