"""Writes rendered files: only when they differ, never half, and private where they hold a secret."""

import os
import tempfile
from pathlib import Path


def write_private(path: Path, content: str | bytes) -> bool:
    """Write `content` with mode 0600, by rename; returns whether the file changed."""
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        path.chmod(0o600)
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(temporary).replace(path)
    return True


def mirror(source: Path, target: Path, pattern: str = "**/*") -> None:
    """Make `target` hold what `source` holds, no more; a missing source makes it empty."""
    wanted = {path.relative_to(source): path for path in source.glob(pattern) if path.is_file()} if source.is_dir() else {}
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for relative, path in wanted.items():
        write_private(target / relative, path.read_bytes())
    for path in target.rglob("*"):
        if path.is_file() and path.relative_to(target) not in wanted:
            path.unlink()
