"""Runs package clients, and says in one sentence what failed."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from app.stack.errors import StackError

_TAIL_LINES: Final = 3
"""How much of a client's own words is shown: the end, where the reason stands."""

_SANE_SECONDS: Final = 1800
"""A client that says nothing for half an hour is stuck."""


def run_client(
    command: Sequence[str],
    *,
    what: str,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    nice: int = 0,
) -> str:
    """Run a package client; returns what it printed on standard output.

    Raises StackError that names `what`, the client's last words, and that running again resumes.
    """
    prefix = ["nice", "-n", str(nice)] if nice and shutil.which("nice") else []
    try:
        done = subprocess.run(
            [*prefix, *command],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SANE_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise StackError(f"{what}: {command[0]} is not on the PATH. Install it and run the same command again.") from None
    except subprocess.TimeoutExpired:
        raise StackError(f"{what}: {command[0]} did not finish in {_SANE_SECONDS // 60} minutes. Run again to resume.") from None
    if done.returncode:
        raise StackError(f"{what} failed: {_last_words(done.stderr, done.stdout)}. Nothing half-finished is kept; run again to resume.")
    return done.stdout


def _last_words(*outputs: str) -> str:
    lines = [line.strip() for output in outputs for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|fail|denied|not found|no space|unable|could not", line, re.IGNORECASE)]
    chosen = (telling or lines)[:_TAIL_LINES] or ["it said nothing"]
    return " | ".join(chosen)[:400].rstrip(".")


@cache
def go_version() -> tuple[int, int]:
    """Version of the `go` on the PATH; (0, 0) when there is none."""
    return _version(["go", "version"], r"go(\d+)\.(\d+)")


@cache
def java_version() -> tuple[int, int]:
    """Version of the `java` that would be used; (0, 0) when there is none."""
    return _version([java_program(), "-version"], r'version "(\d+)(?:\.(\d+))?')


def java_program() -> str:
    """`java` of JAVA_HOME, else of the PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def java_home() -> Path | None:
    """The folder of the Java that would be used; None when there is none."""
    program = shutil.which(java_program())
    return Path(program).resolve().parents[1] if program else None


def _version(command: list[str], pattern: str) -> tuple[int, int]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    found = re.search(pattern, done.stdout + done.stderr)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)
