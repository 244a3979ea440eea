"""An archive file: NDJSON in a sealed file (`app.core.sealed`). Written in one go, forced to disk, then given its name."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyrage

from app.core.sealed import SealError, seal, unseal
from app.core.spool_files import sync_directory

LEVEL: Final = 6
"""zstd's own scale. Records of ours get about 12 times smaller."""

PART_SUFFIX: Final = ".part"
"""Ends the name of a file that is not finished."""


class ArchiveError(Exception):
    """An archive can't be written, read or believed. One sentence that says what to do."""


class ArchiveKey:
    """The age identity that encrypts and opens the archives."""

    def __init__(self, identity: str) -> None:
        """From its text, AGE-SECRET-KEY-1…. Raises ArchiveError, which doesn't show it."""
        try:
            self._identity = pyrage.x25519.Identity.from_str(identity.strip())
        except Exception:  # noqa: BLE001 (the library's own error type is not exported)
            raise ArchiveError(
                "LOG_ARCHIVE_IDENTITY is no age identity. `make up` makes one; `age-keygen` prints one too (AGE-SECRET-KEY-1…)."
            ) from None
        self.recipient: Final = str(self._identity.to_public())
        """The public half."""

    def encrypt(self, reader: Any, writer: Any) -> None:
        """Everything that `reader` gives."""
        pyrage.encrypt_io(reader, writer, [self._identity.to_public()])

    def decrypt(self, reader: Any, writer: Any) -> None:
        """Raises an exception of the library's at the first byte that was tampered with."""
        pyrage.decrypt_io(reader, writer, [self._identity])


@dataclass(frozen=True, slots=True)
class Digest:
    """What went through: number of documents, bytes and SHA-256 of the plain text, and of the file."""

    documents: int
    content_bytes: int
    content_sha256: str
    file_bytes: int
    file_sha256: str


def write(path: Path, lines: Iterable[bytes], key: ArchiveKey) -> Digest:
    """Write an archive file, replacing one of the same name only when the new one is complete and on disk.

    Raises ArchiveError for the file's troubles, and whatever `lines` raises. Nothing is left behind then.
    """
    part = path.with_name(path.name + PART_SUFFIX)
    counted = _Counted(lines)
    try:
        sealed = seal(part, counted, key.encrypt, LEVEL)
    except SealError as error:
        raise _unwritable(path, str(error)) from None
    try:
        part.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise _unwritable(path, error.strerror or str(error)) from None
    return Digest(counted.count, sealed.size, sealed.sha256, sealed.file_size, sealed.file_sha256)


def read(path: Path, key: ArchiveKey, take: Callable[[bytes], None] | None = None) -> Digest:
    """Read an archive file from its first byte to its last; `take` gets each line.

    Raises ArchiveError when it is missing, damaged or encrypted for another key, and whatever `take` raises.
    """
    lines = _Splitter(take)
    try:
        sealed = unseal(path, key.decrypt, lines.take)
    except SealError as error:
        raise _unreadable(path, str(error)) from None
    if lines.rest:
        raise _unreadable(path, "its last line is cut off")
    return Digest(lines.count, sealed.size, sealed.sha256, sealed.file_size, sealed.file_sha256)


def _unwritable(path: Path, why: str) -> ArchiveError:
    return ArchiveError(f"The archive {path} can't be written ({why}). Free space there, or set LOG_ARCHIVE_DIR.")


def _unreadable(path: Path, why: str) -> ArchiveError:
    return ArchiveError(f"The archive {path} can't be read ({why}). It is damaged, or encrypted for another key.")


class _Counted:
    """Lines that are counted on their way."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.count += 1
            yield line


class _Splitter:
    """Takes plain text, counts it and hands it on line by line."""

    def __init__(self, take: Callable[[bytes], None] | None) -> None:
        self._hand_on = take
        self.rest = b""
        """The beginning of a line that is not complete yet."""
        self.count = 0

    def take(self, block: bytes) -> None:
        """The next piece."""
        *lines, self.rest = (self.rest + block).split(b"\n")
        self.count += len(lines)
        if self._hand_on is not None:
            for line in lines:
                self._hand_on(line)
