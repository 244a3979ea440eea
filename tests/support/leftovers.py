"""What `pytest -n` leaves behind when it is interrupted: its processes get no time to stop what they started, so the first one does.

Each stack leaves a note while it runs; processes are known as children of the
ones that run the tests.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from app.stack.paths import CHECKOUT

NOTES: Final = "NOBET_TEST_NOTES"
"""Variable with the folder of the notes; the first process makes it, the others inherit it."""

_GRACE_SECONDS: Final = 5


def note(folder: Path) -> None:
    """A stack in this folder may be running from now on."""
    if notes := os.environ.get(NOTES):
        (Path(notes) / folder.name).write_text(str(folder))


def forget(folder: Path) -> None:
    """It was stopped."""
    if notes := os.environ.get(NOTES):
        (Path(notes) / folder.name).unlink(missing_ok=True)


class Leftovers:
    """Held by the process that hands out the tests."""

    def __init__(self) -> None:
        self._notes: Final = Path(tempfile.mkdtemp(prefix="nobet-notes-"))
        os.environ[NOTES] = str(self._notes)
        self._started: list[psutil.Process] = []

    def look(self) -> None:
        """Remember what the tests have started, while those who started it live."""
        self._started = psutil.Process().children(recursive=True)

    def clear(self) -> None:
        """End what still runs."""
        left = [process for process in self._started if process.is_running()]
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in psutil.wait_procs(left, _GRACE_SECONDS)[1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for told in self._notes.iterdir():
            self._stop(Path(told.read_text()))
        shutil.rmtree(self._notes)

    @staticmethod
    def _stop(folder: Path) -> None:
        environment = {**os.environ, "STACK_DIR": str(folder / "stack"), "PYTHONPATH": str(CHECKOUT)}
        subprocess.run([sys.executable, "-m", "app.cli", "down", "--mode", "native"], env=environment, cwd=CHECKOUT, check=False)
        shutil.rmtree(folder, ignore_errors=True)
