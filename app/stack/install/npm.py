"""Node programs, locked by a package-lock.json of ours."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.model import Npm

_LOCKED: Final = Path(__file__).parents[1] / "npm"


def install(source: Npm, entry: Path, cache: Path, report: Callable[[str], None]) -> None:
    """Install exactly what the lock file says into `entry`; no install script runs. Raises StackError."""
    with locked(entry):
        if entry.is_dir():
            return
        report(f"npm ci ({source.folder} {source.version})")
        with fresh_entry(entry) as building:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_LOCKED / source.folder / name, building / name)
            command = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={cache / 'npm'}"]
            run_client(command, what=f"Installing {source.folder} {source.version} with npm", folder=building)
