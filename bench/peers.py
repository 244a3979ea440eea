"""The environment in which peers are installed, and how they and we are started from it."""

import os
import sys
from functools import cache
from typing import Final

from app.stack.environment import base_environment
from app.stack.paths import CHECKOUT

FOLDER: Final = CHECKOUT / ".venv-bench"


@cache
def python() -> str:
    """The Python of `.venv-bench`, else the one that runs this: then peers are missing, and said to be."""
    is_complete = (FOLDER / ".ready").exists()
    return str(FOLDER / "bin" / "python") if is_complete else sys.executable


def environment(**variables: str) -> dict[str, str]:
    """What a measured process finds: Python, the checkout, and nothing of the caller's settings."""
    return {
        **base_environment(),
        "PYTHONPATH": str(CHECKOUT),
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108
        **variables,
    }
