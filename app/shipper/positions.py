"""What the shipper must not forget: how far each segment is delivered, and what came of the records.

Both stand in one file, replaced as a whole: temporary file, fsync, rename, fsync
of the folder. So positions and counts always belong together, and a count never
rises for a record twice, however often the process is killed. A file that is
empty, torn or garbage is recognized by its checksum; then every segment is read
from its start, and Elasticsearch refuses what it already has.
"""

import os
from contextlib import suppress
from pathlib import Path

from app.core.spool_files import sync_directory
from app.core.spool_positions import FILE_NAME, Progress, UnusablePositionsError, encode_progress, read_progress

__all__ = ["FILE_NAME", "PositionFile", "Progress", "UnusablePositionsError"]


class PositionFile:
    """Keeps a Progress on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME

    def load(self) -> Progress:
        """What was saved last; empty on the first start. Raises UnusablePositionsError when the file is no such thing."""
        return read_progress(self._path)

    def save(self, progress: Progress) -> None:
        """Replace the file; when this returns, the new one survives a power loss. Raises OSError."""
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, encode_progress(progress))
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        finally:
            os.close(descriptor)
        temporary.replace(self._path)
        sync_directory(self._folder)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
