"""`python -m app.stack.backup.tar`: reads and fills the volumes of containers, from inside of a container of our image.

The same code that reads the folders of the native stack: databases are of one moment, other files may change meanwhile.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.core.sealed import BLOCK
from app.stack.backup.streams import count_tree, tar_of, untar_into


def main(arguments: list[str]) -> int:
    """`save FOLDER` writes a tar stream to standard output and what it counted to standard error; the others are its counterparts."""
    action, folder = arguments
    _ACTIONS[action](Path(folder))
    return 0


def _save(folder: Path) -> None:
    counts: dict[str, int] = {}
    for chunk in tar_of(folder, counts):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    sys.stderr.write(json.dumps(counts))


def _load(folder: Path) -> None:
    with untar_into(folder) as take:
        while chunk := sys.stdin.buffer.read(BLOCK):
            take(chunk)


def _count(folder: Path) -> None:
    sys.stdout.write(json.dumps(count_tree(folder) if folder.is_dir() else {}))


def _list(folder: Path) -> None:
    """Names, sizes and times of the files, and the names of the folders."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [(path.name, path.stat().st_size, str(path.stat().st_mtime_ns)) for path in entries if path.is_file()]
    sys.stdout.write(json.dumps({"files": files, "folders": [path.name for path in entries if path.is_dir()]}))


def _read(file: Path) -> None:
    sys.stdout.buffer.write(file.read_bytes())


_ACTIONS: Final[dict[str, Callable[[Path], None]]] = {"save": _save, "load": _load, "count": _count, "list": _list, "read": _read}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
