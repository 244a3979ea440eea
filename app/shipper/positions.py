"""What the shipper must not forget: how far each segment is delivered, and what came of the records.

Both stand in one file, replaced as a whole: temporary file, fsync, rename, fsync
of the folder. So positions and counts always belong together, and a count never
rises for a record twice, however often the process is killed. A file that is
empty, torn or garbage is recognized by its checksum; then every segment is read
from its start, and Elasticsearch refuses what it already has.
"""

import binascii
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from app.core.spool import sync_directory

FILE_NAME: Final = "positions"
FORMAT: Final = 1


class UnusablePositionsError(Exception):
    """There is a position file, and it can't be trusted."""


@dataclass(slots=True)
class Progress:
    """Positions by segment file name, and counts of records by metric and label value."""

    positions: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class PositionFile:
    """Keeps a Progress on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME

    def load(self) -> Progress:
        """What was saved last; empty on the first start. Raises UnusablePositionsError when the file is no such thing."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return Progress()
        except OSError as error:
            raise UnusablePositionsError(f"{self._path}: {error.strerror}") from None
        return _decode(content)

    def save(self, progress: Progress) -> None:
        """Replace the file; when this returns, the new one survives a power loss. Raises OSError."""
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, _encode(progress))
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


def _encode(progress: Progress) -> bytes:
    body = orjson.dumps({"format": FORMAT, "positions": progress.positions, "counts": progress.counts})
    return b"%08x %b\n" % (binascii.crc32(body), body)


def _decode(content: bytes) -> Progress:
    checksum, _, body = content.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % binascii.crc32(body):
        raise UnusablePositionsError("its checksum is wrong")
    data: Any = orjson.loads(body)
    if data["format"] != FORMAT:
        raise UnusablePositionsError(f"its format is {data['format']}, this version reads {FORMAT}")
    return Progress(data["positions"], data["counts"])
