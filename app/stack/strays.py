"""Processes of this stack that nobody supervises any more: what a killed supervisor or a killed parent left behind.

Every program carries the stack's folder in its environment, which its children
inherit. PostgreSQL and Redis write their title over it; those are known by their
program in the cache and their working folder in the stack.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from app.stack.paths import StackPaths

MARK: Final = "NOBET_STACK"
"""The variable that says to which stack a process belongs."""

_GRACE_SECONDS: Final = 10.0


def find_strays(paths: StackPaths) -> list[psutil.Process]:
    """All processes that belong to the stack, this one excepted."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _belongs(process.pid, paths)]


def end_strays(paths: StackPaths) -> int:
    """End them, with -9 those that do not listen; returns how many there were."""
    strays = find_strays(paths)
    for process in strays:
        _quietly(process.terminate)
    _gone, alive = psutil.wait_procs(strays, timeout=_GRACE_SECONDS)
    for process in alive:
        _quietly(process.kill)
    psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    return len(strays)


def _belongs(pid: int, paths: StackPaths) -> bool:
    if f"{MARK}={paths.root}".encode() in _environment(pid):
        return True
    with suppress(OSError):
        folder, program = (Path(f"/proc/{pid}/{link}").readlink() for link in ("cwd", "exe"))
        return folder.is_relative_to(paths.root) and program.is_relative_to(paths.cache)
    return False


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _quietly(action: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        action()
