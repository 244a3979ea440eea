"""The folder of archives: for each archived index one encrypted file, and beside it a manifest that says what must be in it.

    <index>.<uuid>.ndjson.zst.age     the documents; see app.core.archive_files
    <index>.<uuid>.json               the manifest: counts, checksums, settings and mappings of the index

The uuid is the index's own. A run that is repeated after a crash replaces what
it had written, and an index that was made anew under an old name (records that
came very late) can never overwrite the first one's archive. Both files get their
names when they are complete and on disk, the manifest last: without it there is
no archive.
"""

import datetime as dt
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.core.archive_files import PART_SUFFIX, ArchiveError, ArchiveKey, read, write
from app.core.index_store import Content, IndexInfo
from app.core.spool_files import sync_directory

FORMAT: Final = 1
"""Version of the manifest."""

_MANIFEST: Final = ".json"
_DATA: Final = ".ndjson.zst.age"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds, and how to tell that it still does."""

    index: str
    uuid: str
    documents: int
    last_sequence: int
    content_bytes: int
    content_sha256: str
    file_bytes: int
    file_sha256: str
    archived_at: str
    """ISO 8601, UTC."""
    recipient: str
    settings: dict[str, Any]
    mappings: dict[str, Any]
    format: int = FORMAT

    @property
    def name(self) -> str:
        """Name of the archive: its files without their endings."""
        return f"{self.index}.{self.uuid}"

    @property
    def content(self) -> Content:
        """What the index held when it was archived."""
        return Content(self.documents, self.last_sequence)


class Archive:
    """The archives in one folder. Every method raises ArchiveError."""

    def __init__(self, folder: Path, key: ArchiveKey) -> None:
        self.folder: Final = folder
        self._key: Final = key

    def store(self, index: IndexInfo, content: Content, lines: Iterable[bytes], now: dt.datetime) -> Manifest:
        """Archive an index; what `lines` raises comes through. The archive exists when this returns, not before."""
        self._prepare()
        name = f"{index.name}.{index.uuid}"
        digest = write(self.folder / (name + _DATA), lines, self._key)
        manifest = Manifest(
            index=index.name,
            uuid=index.uuid,
            last_sequence=content.last_sequence,
            archived_at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
            recipient=self._key.recipient,
            settings=index.settings,
            mappings=index.mappings,
            **asdict(digest),
        )
        self._write_manifest(manifest)
        return manifest

    def check(self, manifest: Manifest, take: Callable[[bytes], None] | None = None) -> None:
        """Read the archive back and compare everything with the manifest; `take` gets each document."""
        digest = asdict(read(self.file_of(manifest), self._key, take))
        wrong = [name for name, value in digest.items() if getattr(manifest, name) != value]
        if wrong:
            raise ArchiveError(
                f"The archive {self.file_of(manifest)} is not what its manifest says ({', '.join(wrong)} differ). Restore it from a backup."
            )

    def file_of(self, manifest: Manifest) -> Path:
        """The file that holds the documents."""
        return self.folder / (manifest.name + _DATA)

    def manifests(self) -> list[Manifest]:
        """All archives, by name of the index and age."""
        try:
            found = [self._load(path) for path in self.folder.glob(f"*{_MANIFEST}") if not path.name.startswith(".")]
        except OSError as error:
            raise ArchiveError(f"{self.folder} can't be read ({error.strerror}). Let this user read it, or set LOG_ARCHIVE_DIR.") from None
        return sorted(found, key=lambda manifest: (manifest.index, manifest.archived_at))

    def find(self, name: str) -> list[Manifest]:
        """The archives of an index, or the one archive of this name."""
        return [manifest for manifest in self.manifests() if name in (manifest.index, manifest.name)]

    def of(self, index: IndexInfo) -> Manifest | None:
        """The archive that an earlier run made of this very index."""
        path = self.folder / f"{index.name}.{index.uuid}{_MANIFEST}"
        return self._load(path) if path.exists() else None

    def remove(self, manifest: Manifest) -> None:
        """Delete an archive; the manifest last, so that a half-removed one is still known."""
        try:
            self.file_of(manifest).unlink(missing_ok=True)
            (self.folder / (manifest.name + _MANIFEST)).unlink(missing_ok=True)
            sync_directory(self.folder)
        except OSError as error:
            raise ArchiveError(f"The archive {manifest.name} can't be removed ({error.strerror}). Let this user write to it.") from None

    def _prepare(self) -> None:
        """Make the folder, and clear away what a run that was killed left unfinished."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for leftover in self.folder.glob(f"*{PART_SUFFIX}"):
                leftover.unlink()
        except OSError as error:
            raise ArchiveError(
                f"{self.folder} can't be used ({error.strerror}). Let this user write to it, or set LOG_ARCHIVE_DIR."
            ) from None

    def _write_manifest(self, manifest: Manifest) -> None:
        path = self.folder / (manifest.name + _MANIFEST)
        part = path.with_name(path.name + PART_SUFFIX)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(asdict(manifest), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_directory(self.folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ArchiveError(
                f"The manifest {path} can't be written ({error.strerror}). Free space there, or set LOG_ARCHIVE_DIR."
            ) from None

    def _load(self, path: Path) -> Manifest:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            manifest = Manifest(**content)
        except (OSError, ValueError, TypeError):
            raise ArchiveError(f"The manifest {path} can't be read. Restore it from a backup, or move it away with its archive.") from None
        if manifest.format != FORMAT or path.name != manifest.name + _MANIFEST:
            raise ArchiveError(f"The manifest {path} is of another version or has another name. Use the version that wrote it.")
        return manifest
