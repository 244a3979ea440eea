"""An archive file: NDJSON, compressed with zstd, encrypted with age. Written in one go, forced to disk, then given its name.

Nothing is held in memory but a few blocks, whatever the size. `age -d -i KEYFILE FILE | zstd -d` opens a file
without any of this code.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import pyrage
import zstandard

LEVEL: Final = 6
"""zstd's own scale. Records of ours get about 12 times smaller."""

PART_SUFFIX: Final = ".part"
"""Ends the name of a file that is not finished."""

_BLOCK: Final = 1 << 20


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
    plain = _Lines(lines)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            sealed = _Hashing(file)
            key.encrypt(zstandard.ZstdCompressor(level=LEVEL).stream_reader(cast("IO[bytes]", plain), closefd=False), sealed)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except Exception as error:  # noqa: BLE001 (the libraries in between have error types of their own)
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if plain.error is not None:
            raise plain.error from None
        raise ArchiveError(f"The archive {path} can't be written ({_why(error)}). Free space there, or set LOG_ARCHIVE_DIR.") from None
    return Digest(plain.count, plain.size, plain.sha256.hexdigest(), sealed.size, sealed.sha256.hexdigest())


def read(path: Path, key: ArchiveKey, take: Callable[[bytes], None] | None = None) -> Digest:
    """Read an archive file from its first byte to its last; `take` gets each line.

    Raises ArchiveError when it is missing, damaged or encrypted for another key, and whatever `take` raises.
    """
    sink = _Splitter(take)
    try:
        with path.open("rb") as file:
            sealed = _Hashing(file)
            with zstandard.ZstdDecompressor().stream_writer(cast("IO[bytes]", sink), closefd=False) as decompressor:
                key.decrypt(sealed, decompressor)
            sealed.drain()
        sink.end()
    except Exception as error:  # noqa: BLE001 (see above)
        if sink.error is not None:
            raise sink.error from None
        raise ArchiveError(f"The archive {path} can't be read ({_why(error)}). It is damaged, or encrypted for another key.") from None
    return Digest(sink.count, sink.size, sink.sha256.hexdigest(), sealed.size, sealed.sha256.hexdigest())


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk, so that a rename survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__


class _Lines(io.RawIOBase):
    """The lines as a file to read from. What their source raises is kept, because the libraries in between disguise it."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines: Iterator[bytes] = iter(lines)
        self._rest = b""
        self.sha256 = hashlib.sha256()
        self.count = self.size = 0
        self.error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = self._next_block(len(buffer))
        given = min(len(buffer), len(self._rest))
        buffer[:given] = self._rest[:given]
        self._rest = self._rest[given:]
        return given

    def _next_block(self, wanted: int) -> bytes:
        block: list[bytes] = []
        size = 0
        try:
            while size < wanted:
                line = next(self._lines)
                block.append(line)
                size += len(line)
                self.count += 1
        except StopIteration:
            pass
        except Exception as error:
            self.error = error
            raise
        joined = b"".join(block)
        self.sha256.update(joined)
        self.size += len(joined)
        return joined


class _Hashing:
    """A file, hashed while it is written or read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._see(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        self._see(data)
        return data

    def flush(self) -> None:
        self._file.flush()

    def drain(self) -> None:
        """Read what is left, so that bytes behind the end change the checksum."""
        while self.read(_BLOCK):
            pass

    def _see(self, data: bytes) -> None:
        self.sha256.update(data)
        self.size += len(data)


class _Splitter(io.RawIOBase):
    """Takes plain text, counts it and hands it on line by line."""

    def __init__(self, take: Callable[[bytes], None] | None) -> None:
        self._take = take
        self._rest = b""
        self.sha256 = hashlib.sha256()
        self.count = self.size = 0
        self.error: Exception | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        block = bytes(data)
        self.sha256.update(block)
        self.size += len(block)
        *lines, self._rest = (self._rest + block).split(b"\n")
        self.count += len(lines)
        if self._take is not None:
            try:
                for line in lines:
                    self._take(line)
            except Exception as error:
                self.error = error
                raise
        return len(block)

    def end(self) -> None:
        """Raises ValueError when the last line is not complete."""
        if self._rest:
            raise ValueError("its last line is cut off")
