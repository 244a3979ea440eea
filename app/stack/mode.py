"""Which way to run: in containers where an engine answers, natively elsewhere."""

import subprocess
from enum import StrEnum
from typing import Final

_SECONDS: Final = 3.0
"""How long the engine may take to answer. One that is there answers in milliseconds."""


class Mode(StrEnum):
    """The ways to run, and the choice between them."""

    AUTO = "auto"
    NATIVE = "native"
    COMPOSE = "compose"


def effective(mode: Mode) -> Mode:
    """`mode` itself, or for AUTO what this machine can do."""
    if mode is not Mode.AUTO:
        return mode
    return Mode.COMPOSE if _answers("docker", "info") and _answers("docker", "compose", "version") else Mode.NATIVE


def _answers(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
