"""The key of the backups, and their files: sealed as `app.core.sealed` says, with errors that say what to do."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from app.core import sealed
from app.core.archive_files import ArchiveError, ArchiveKey
from app.core.sealed import Digest, SealError
from app.stack.errors import StackError

LEVEL: Final = 3
"""zstd's own scale. A backup waits for its compressor: 6 is half as fast and saves a tenth."""

_IDENTITY: Final = re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]+", re.IGNORECASE)


class Key:
    """The age identity that seals and opens backups, and proves that a manifest was written by who has it."""

    def __init__(self, identity: str) -> None:
        """From its text, or any text that contains one, such as a key file or an `.env`. Raises StackError, which doesn't show it."""
        found = _IDENTITY.search(identity)
        try:
            self._age = ArchiveKey(found[0].upper() if found else "")
        except ArchiveError:
            raise StackError("That is no key: it has to be an age identity (AGE-SECRET-KEY-1…). `nobet backup key` prints it.") from None
        self._proof: Final = hashlib.sha256(b"nobet backup manifest\0" + (found[0].upper() if found else "").encode()).digest()

    @property
    def recipient(self) -> str:
        """The public half."""
        return self._age.recipient

    def proof(self, text: bytes) -> str:
        """What nobody can compute without the key. age tells who may read, not who wrote; this does."""
        return hmac.new(self._proof, text, hashlib.sha256).hexdigest()

    def encrypt(self, reader: Any, writer: Any) -> None:
        """Everything that `reader` gives."""
        self._age.encrypt(reader, writer)

    def decrypt(self, reader: Any, writer: Any) -> None:
        """Raises an exception of the library's at the first byte that was tampered with."""
        self._age.decrypt(reader, writer)


def seal(path: Path, chunks: Iterable[bytes], key: Key) -> Digest:
    """Write a new sealed file. Raises StackError for the file's troubles, and whatever `chunks` raises; it leaves no half a file then."""
    try:
        return sealed.seal(path, chunks, key.encrypt, LEVEL)
    except SealError as error:
        raise StackError(f"{path} can't be written ({error}). Free space there, or choose another folder with --to.") from None


def unseal(path: Path, key: Key, take: Callable[[bytes], object] | None = None) -> Digest:
    """Read a sealed file from its first byte to its last; `take` gets the plain stream.

    Raises StackError when it is missing, damaged or sealed for another key, and whatever `take` raises.
    """
    try:
        return sealed.unseal(path, key.decrypt, take)
    except SealError as error:
        raise StackError(f"{path} can't be read ({error}). It is damaged, or sealed for another key.") from None


def file_digest(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file as it lies there. Raises StackError."""
    try:
        return sealed.file_digest(path)
    except SealError as error:
        raise StackError(f"{path} can't be read ({error}).") from None
