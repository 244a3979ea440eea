"""Reads the files of a stack that runs, and goes on writing and removing them."""

from contextlib import suppress
from pathlib import Path


def contents(*folders: Path) -> dict[str, bytes]:
    """What is in the files below these folders, by path. One that goes in the meantime, as a shipped segment does, is left out."""
    found: dict[str, bytes] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file():
                    found[str(path)] = path.read_bytes()
    return found
