"""`nobet clean`: removes the state of the native stack."""

import shutil
from pathlib import Path

from rich.console import Console

from app.stack.down import down
from app.stack.stack import Stack


def what_would_go(stack: Stack) -> list[tuple[Path, int]]:
    """The folders that `clean` removes, with their size in bytes. `.env` stays."""
    root = stack.paths.root
    return [(path, _size(path)) for path in sorted(root.iterdir()) if path != stack.paths.env_file] if root.is_dir() else []


def clean(stack: Stack) -> None:
    """Stop the stack and remove the folders. Raises StackError when something does not stop."""
    down(stack, Console(quiet=True))
    for path, _size_in_bytes in what_would_go(stack):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())
