"""Which way to run: in containers where an engine answers, natively elsewhere."""

import subprocess
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.stack.stack import Stack

_SECONDS: Final = 3.0
"""How long the engine may take to answer. One that is there answers in milliseconds."""


class Mode(StrEnum):
    """The ways to run, and the choice between them."""

    AUTO = "auto"
    NATIVE = "native"
    COMPOSE = "compose"


def effective(mode: Mode, stack: "Stack") -> Mode:
    """`mode` itself; for AUTO native where that runs already, else what this machine can do."""
    if mode is not Mode.AUTO:
        return mode
    from app.stack.supervisor import Supervisor  # here, because the command line imports this module for every --help

    if Supervisor(stack.paths).is_running():
        return Mode.NATIVE
    return Mode.COMPOSE if _answers("docker", "info") and has_compose() else Mode.NATIVE


def has_compose() -> bool:
    """Whether the Docker client of this machine brings Compose v2; an engine need not answer."""
    return _answers("docker", "compose", "version")


def _answers(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
