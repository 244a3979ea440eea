"""A sealed file: a stream of bytes, compressed with zstd, encrypted with age, forced to disk.

Nothing is held in memory but a few blocks, whatever the size. `age -d -i KEYFILE FILE | zstd -d` opens one
without any of this code. Archives and backups are made of such files.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import zstandard

BLOCK: Final = 1 << 20
"""Bytes that are handed on at once."""

Crypt = Callable[[Any, Any], None]
"""Encrypts or decrypts everything that a reader gives to a writer; raises at the first byte that was tampered with."""


class SealError(Exception):
    """The file can't be written, read or believed; says why in a few words, without the path."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What went through: bytes and SHA-256 of the plain stream, and of the file."""

    size: int
    sha256: str
    file_size: int
    file_sha256: str


def seal(path: Path, chunks: Iterable[bytes], encrypt: Crypt, level: int) -> Digest:
    """Write a new sealed file; `level` is zstd's. Raises SealError, and whatever `chunks` raises; it leaves no half a file then."""
    plain = _Chunks(chunks)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            sealed = _Hashing(file)
            encrypt(zstandard.ZstdCompressor(level=level).stream_reader(cast("IO[bytes]", plain), closefd=False), sealed)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        if plain.error is not None:
            raise plain.error from None
        if not isinstance(error, Exception):
            raise
        raise SealError(_why(error)) from None
    return Digest(plain.size, plain.sha256.hexdigest(), sealed.size, sealed.sha256.hexdigest())


def unseal(path: Path, decrypt: Crypt, take: Callable[[bytes], object] | None = None) -> Digest:
    """Read a sealed file from its first byte to its last; `take` gets the plain stream.

    Raises SealError when it is missing, damaged or sealed for another key, and whatever `take` raises.
    """
    sink = _Sink(take)
    try:
        with path.open("rb") as file:
            sealed = _Hashing(file)
            with zstandard.ZstdDecompressor().stream_writer(cast("IO[bytes]", sink), closefd=False) as decompressor:
                decrypt(sealed, decompressor)
            sealed.drain()
    except Exception as error:  # noqa: BLE001 (the libraries in between have error types of their own)
        if sink.error is not None:
            raise sink.error from None
        raise SealError(_why(error)) from None
    return Digest(sink.size, sink.sha256.hexdigest(), sealed.size, sealed.sha256.hexdigest())


def file_digest(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file as it lies there. Raises SealError."""
    try:
        with path.open("rb") as file:
            hashed = _Hashing(file)
            hashed.drain()
    except OSError as error:
        raise SealError(_why(error)) from None
    return hashed.size, hashed.sha256.hexdigest()


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = re.search(r"\[Errno \d+\] ([^:\n]+)", str(error))  # one that came through the libraries is text only
    return found[1] if found else str(error) or type(error).__name__


class _Chunks(io.RawIOBase):
    """An iterable of bytes as a file to read from. What it raises is kept, because the libraries in between disguise it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._rest = memoryview(b"")
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(self._next_block())
        given = min(len(buffer), len(self._rest))
        buffer[:given] = self._rest[:given]
        self._rest = self._rest[given:]
        return given

    def _next_block(self) -> bytes:
        block: list[bytes] = []
        size = 0
        try:
            while size < BLOCK:
                block.append(next(self._chunks))
                size += len(block[-1])
        except StopIteration:
            pass
        except BaseException as error:
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
        while self.read(BLOCK):
            pass

    def _see(self, data: bytes) -> None:
        self.sha256.update(data)
        self.size += len(data)


class _Sink(io.RawIOBase):
    """Takes the plain stream, hashes it and hands it on."""

    def __init__(self, take: Callable[[bytes], object] | None) -> None:
        self._take = take
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.error: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        block = bytes(data)
        self.sha256.update(block)
        self.size += len(block)
        if self._take is not None:
            try:
                self._take(block)
            except BaseException as error:
                self.error = error
                raise
        return len(block)
