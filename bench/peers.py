"""The environment in which peers are installed, and how they and we are started from it."""

import os
import subprocess
import sys
from functools import cache
from typing import Final

from app.stack.environment import base_environment
from app.stack.paths import CHECKOUT

FOLDER: Final = CHECKOUT / ".venv-bench"


@cache
def python() -> str:
    """The Python of `.venv-bench`, else the one that runs this: then peers are missing, and said to be."""
    own = FOLDER / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def environment(**variables: str) -> dict[str, str]:
    """What a measured process finds: Python, the checkout, and nothing of the caller's settings."""
    return {
        **base_environment(),
        "PYTHONPATH": str(CHECKOUT),
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108
        **variables,
    }


def missing(module: str) -> str:
    """Why a module can't be used, in one clause; empty when it can."""
    done = subprocess.run([python(), "-c", f"import {module}"], capture_output=True, text=True, check=False, timeout=120)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return "" if done.returncode == 0 else f"{last or 'it ends at once'} (make bench installs peers from requirements/bench.txt)"
