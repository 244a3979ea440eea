"""Fills the folder of a new backup: part by part, taking over what an earlier backup has already."""

import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from app.stack.backup.model import Manifest, Part
from app.stack.backup.sealed import Key, file_digest, seal, unseal
from app.stack.backup.shelf import Shelf, read_manifest
from app.stack.errors import StackError

SUFFIX: Final = ".zst.age"

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


class Saver:
    """What stores save themselves with."""

    def __init__(self, folder: Path, key: Key, tell: Callable[[str], None] = lambda _text: None) -> None:
        self.folder: Final = folder
        self.parts: list[Part] = []
        self.abandoned: list[str] = []
        """Snapshots of Prometheus that interrupted backups left."""
        self.versions: dict[str, str] = {}
        """Stores put in which version of their server they saved."""
        self.tell = tell
        """Is told how far the store is that saves itself now."""
        self._key: Final = key
        self._shared: set[str] = set()
        self._earlier: dict[tuple[str, str, str], tuple[Path, Part]] = {}

    def know(self, shelf: Shelf) -> None:
        """Take parts over from the newest backup on the shelf. One that can't be believed is not used."""
        self.abandoned = shelf.abandoned
        for path in reversed(shelf.paths()):
            try:
                manifest: Manifest = read_manifest(path, self._key)
            except StackError:
                continue
            self._earlier = {(part.store, part.name, part.identity): (path, part) for part in manifest.parts if part.identity}
            return

    def take_over(self, store: str, name: str, identity: str) -> bool:
        """Whether an earlier backup has this very content; then it is part of this one, too, without being read again."""
        found = self._earlier.get((store, name, identity))
        if found is None:
            return False
        path, part = found
        source, target = path / part.file, self._path(store, name)
        try:
            if file_digest(source) != (part.file_size, part.file_sha256):
                return False  # damaged: it is saved anew
            try:
                os.link(source, target)
            except OSError:  # a disk without links, or with too many of them
                shutil.copy2(source, target)
        except (StackError, OSError):
            target.unlink(missing_ok=True)
            return False
        self.parts.append(part)
        self._shared.add(part.file)
        return True

    def save(
        self, store: str, name: str, chunks: Iterable[bytes], counts: dict[str, int] | None = None, identity: str | Callable[[], str] = ""
    ) -> Part:
        """Seal a stream as a part. `counts` may be filled while the stream is read, and `identity` is called after that.

        Raises StackError, and whatever `chunks` raises.
        """
        path = self._path(store, name)
        digest = seal(path, chunks, self._key)
        part = Part(
            store=store,
            name=name,
            file=str(path.relative_to(self.folder)),
            size=digest.size,
            sha256=digest.sha256,
            file_size=digest.file_size,
            file_sha256=digest.file_sha256,
            counts=dict(counts or {}),
            identity=identity if isinstance(identity, str) else identity(),
        )
        self.parts.append(part)
        return part

    def verify(self) -> None:
        """Read every new part back from disk, to its last byte. What was taken over was compared before. Raises StackError."""
        for number, part in enumerate(self.parts, start=1):
            if part.file not in self._shared:
                self.tell(f"{number} of {len(self.parts)} files")
                verify_part(self.folder, part, self._key)

    def _path(self, store: str, name: str) -> Path:
        folder = self.folder / store
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / (_UNSAFE.sub("_", name) + SUFFIX)


def verify_part(folder: Path, part: Part, key: Key) -> None:
    """Decrypt a part to its last byte and compare everything with the manifest. Raises StackError."""
    if unseal(folder / part.file, key) != part.digest:
        raise StackError(f"{folder / part.file} is not what the manifest says. The backup is damaged: take another one.")
