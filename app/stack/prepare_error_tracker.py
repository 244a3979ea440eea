"""Makes the error tracker's database, administrator, project and token, without a person at the keyboard."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

from app.stack.environment import base_environment, environment
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.install.cache import fresh_entry, locked
from app.stack.model import Component
from app.stack.stack import Stack

_SECONDS: Final = 180
_DATABASES: Final = ("bugsink.sqlite3", "tasks.sqlite3")
_STAMP: Final = "provisioned"


def prepare_error_tracker(stack: Stack, component: Component, home: Path) -> None:
    """Bring data and secrets together. Does nothing when neither changed since the last start. Raises StackError."""
    env = environment(stack, component, home)
    data = stack.paths.data / component.name
    script = stack.paths.etc / component.name / "provision.py"
    # The stamp is of random secrets of 192 bits, so it gives nothing away.
    stamp = hashlib.sha256(json.dumps([home.name, sorted(env.items()), script.read_text()]).encode()).hexdigest()
    noted = data / _STAMP
    if noted.exists() and noted.read_text() == stamp and (data / _DATABASES[0]).exists():
        return
    if not (data / _DATABASES[0]).exists():
        for name in _DATABASES:
            shutil.copy(_schema(home, script, env) / name, data / name)
    _run(home, script, env, stack.paths.log_file("error_tracker-setup"))
    write_private(noted, stamp)


def _schema(home: Path, script: Path, env: dict[str, str]) -> Path:
    """Empty databases with the tables of this version: made once per cache, because making them takes many seconds."""
    entry = home.with_name(f"{home.name}-schema")
    with locked(entry):
        if not entry.is_dir():
            with fresh_entry(entry) as building:
                _run(home, script, {**env, "BUGSINK_DATA": str(building)}, building / "log", "schema")
    return entry


def _run(home: Path, script: Path, env: dict[str, str], log: Path, *arguments: str) -> None:
    command = [str(home / "bin" / "python"), str(script), *arguments]
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                command, env={**base_environment(), **env}, cwd=script.parent, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, timeout=_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise StackError(f"Setting up the error tracker did not finish in {_SECONDS} s. See {log}.") from None
    if done.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise StackError(f"Setting up the error tracker failed: {' '.join(last)} (all of it: {log})")
