"""Python programs in an environment of their own, pinned with hashes by a requirements file of ours."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.model import Pip

_PINNED: Final = Path(__file__).parents[1] / "pip"


def unusable() -> str:
    """What is missing, as a clause; empty when nothing is."""
    return "" if importlib.util.find_spec("ensurepip") else "this Python can't make environments (`apt-get install python3-venv`)"


def install(source: Pip, entry: Path, cache: Path, report: Callable[[str], None]) -> None:
    """Install exactly what the requirements file says into `entry`. Raises StackError.

    Scripts in its `bin` name the folder in which they were made, which is renamed at the end: run `bin/python -m …`.
    """
    with locked(entry):
        if entry.is_dir():
            return
        report(f"pip install ({source.folder} {source.version})")
        what = f"Installing {source.folder} {source.version} with pip"
        with fresh_entry(entry) as building:
            run_client([sys.executable, "-m", "venv", "--clear", str(building)], what=what)
            command = [str(building / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            command += ["--require-hashes", "--no-deps", f"--requirement={_PINNED / source.folder / 'requirements.txt'}"]
            run_client([*command, f"--cache-dir={cache / 'pip'}"], what=what)
