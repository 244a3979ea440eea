"""Stores that are plain folders: the spool, the error tracker, Grafana, Alertmanager; and the archives, file by file."""

from app.stack.backup.model import Part
from app.stack.backup.place import ARCHIVES, Place
from app.stack.backup.saver import Saver
from app.stack.backup.streams import Pour, end_of_tar, pour_file
from app.stack.errors import StackError

_PART = "files"


def save_tree(place: Place, saver: Saver, store: str) -> str:
    """Save a folder while its owner goes on writing. Raises StackError."""
    counts: dict[str, int] = {}
    saver.save(store, _PART, place.tree(store, counts), counts)
    return _told(counts)


def restore_tree(place: Place, store: str, pour: Pour, expected: dict[str, int]) -> str:
    """Fill the folder and count what is in it. Raises StackError."""
    with place.put_tree(store) as take:
        pour(take)
    found = place.count_tree(store)
    if found and expected and found != expected:
        raise StackError(f"The folder of {store} has {_told(found)}, and the backup {_told(expected)}. Try again.")
    return _told(found or expected)


def save_archives(place: Place, saver: Saver) -> str:
    """Save the archives of deleted log indices. They never change, so only new ones are read. Raises StackError."""
    files = place.files(ARCHIVES)
    for number, file in enumerate(files, start=1):
        identity = f"{file.size}:{file.stamp}"
        if not saver.take_over(ARCHIVES, file.name, identity):
            saver.tell(f"file {number} of {len(files)}")
            saver.save(ARCHIVES, file.name, place.file(ARCHIVES, file.name), {"files": 1}, identity)
    return f"{len(files):,} files"


def restore_archives(place: Place, parts: list[tuple[Part, Pour]]) -> str:
    """Put the archives back under their names. Raises StackError."""
    with place.put_tree(ARCHIVES) as take:
        for part, pour in parts:
            pour_file(take, part.name, part.size, pour)
        take(end_of_tar())
    there = {file.name: file.size for file in place.files(ARCHIVES)}
    missing = [part.name for part, _ in parts if there.get(part.name) != part.size]
    if missing:
        raise StackError(f"The archives {', '.join(missing)} did not arrive. Try again.")
    return f"{len(parts):,} files"


def _told(counts: dict[str, int]) -> str:
    told = [f"{counts[name]:,} {name}" for name in ("rows", "files") if counts.get(name)]
    return ", ".join(told) or ("" if not counts else "empty")
