"""What the commands print: a line for each store while they work, sizes and times, and what to do next."""

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from app.core.terminal import show
from app.stack.backup.model import Manifest
from app.stack.backup.save import VERIFY, Tell
from app.stack.backup.steps import titles
from app.stack.progress import progress

ENDS = ("saved", "restored", "intact", "failed")
"""States after which nothing more is said of a store."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@contextmanager
def telling(console: Console, rows: dict[str, str]) -> Iterator[Tell]:
    """A row for each store. Into a pipe go only beginnings and ends, not how far something is."""
    with progress(console, rows) as display:

        def tell(store: str, state: str, detail: str) -> None:
            if store in rows and (console.is_terminal or not detail or state in ENDS):
                display.tell(store, state, detail.splitlines()[0] if detail else "")

        yield tell


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Seconds that the block took, in the list when it ends."""
    began, took = time.monotonic(), [0.0]
    try:
        yield took
    finally:
        took[0] = time.monotonic() - began


def rows_of(manifest: Manifest) -> dict[str, str]:
    """The rows of a restore: verification, then every store that the backup has."""
    return {VERIFY: "Backup", **titles(part.store for part in manifest.parts)}


def print_stores(console: Console, manifest: Manifest) -> None:
    """What takes how much."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("store")
    for name in ("data", "in the backup", "files"):
        table.add_column(name, justify="right")
    for store, title in titles(part.store for part in manifest.parts).items():
        parts = manifest.of(store)
        table.add_row(title, human(sum(part.size for part in parts)), human(sum(part.file_size for part in parts)), f"{len(parts):,}")
    table.add_row("all", human(manifest.size), human(manifest.file_size), f"{len(manifest.parts):,}", style="bold")
    show(console, lambda screen: screen.print(table))


def print_list(console: Console, manifests: list[Manifest]) -> None:
    """One line for each backup, oldest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("name", "age"):
        table.add_column(name)
    for name in ("size", "documents", "rows", "took"):
        table.add_column(name, justify="right")
    table.add_column("mode")
    for manifest in manifests:
        table.add_row(
            manifest.name,
            human_age(manifest.age),
            human(manifest.file_size),
            f"{manifest.total('elasticsearch'):,}",
            f"{manifest.total('postgres'):,}",
            seconds(manifest.seconds),
            manifest.mode,
        )
    show(console, lambda screen: screen.print(table))


def human(size: float) -> str:
    """Bytes for people."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def seconds(took: float) -> str:
    """A duration for people."""
    return f"{took:.1f} s" if took < 60 else f"{int(took // 60)} min {int(took % 60)} s"


def human_age(age: dt.timedelta) -> str:
    """How long ago, roughly."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if age.total_seconds() >= 2 * length:
            return f"{int(age.total_seconds() // length)} {unit}"
    return f"{max(0, int(age.total_seconds()))} s"
