"""Programs that are built with Go from a tools module of ours; its go.sum pins every dependency."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import run_client
from app.stack.model import Go

_MODULES: Final = Path(__file__).parents[1] / "go"


def build(source: Go, entry: Path, cache: Path, report: Callable[[str], None], *, nice: int = 0) -> None:
    """Build all programs of `source` into `entry`. Raises StackError.

    One build at a time: each alone fills the processors, two at once fill the memory.
    """
    if entry.is_dir():
        return
    with locked(cache / "go-build"), locked(entry):
        if entry.is_dir():
            return
        report(f"building {source.module} {source.version} (minutes, once)")
        with fresh_entry(entry) as building:
            command = ["go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", f"{building}/", *source.packages]
            what = f"Building {source.module} {source.version} with Go"
            run_client(command, what=what, folder=_MODULES / source.module, env={"CGO_ENABLED": "0"}, nice=nice)
