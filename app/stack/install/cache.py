"""The cache: an entry is a folder that is complete, or it does not exist.

Whoever makes an entry builds it beside the cache under a name of its own and
renames it at the end, so a broken download or a killed build is never taken for
a finished one, and two stacks that share a cache do not meet half-way.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(entry: Path) -> Iterator[None]:
    """Hold the entry's lock, so that one process makes it and others wait for the result."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with entry.with_name(f".{entry.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def fresh_entry(entry: Path) -> Iterator[Path]:
    """A new folder that becomes `entry` when the block ends well, and is removed when it does not."""
    _sweep(entry)
    building = entry.with_name(f".{entry.name}.part-{os.getpid()}")
    building.mkdir(parents=True)
    try:
        yield building
        building.rename(entry)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _sweep(entry: Path) -> None:
    """Remove what killed processes left; the lock says that nobody is building this entry now."""
    for leftover in entry.parent.glob(f".{entry.name}.part-*"):
        shutil.rmtree(leftover, ignore_errors=True)
