"""The folder of backups. A backup is a folder in it that has its final name; what is being made ends in `.part`."""

import datetime as dt
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.core.archive_files import PART_SUFFIX
from app.core.spool_files import sync_directory
from app.stack.backup.model import Manifest, dump_manifest, load_manifest
from app.stack.backup.sealed import Key
from app.stack.errors import StackError

MANIFEST: Final = "manifest.json"

SNAPSHOT: Final = "snapshot"
"""File in an unfinished backup: the name of the snapshot that Prometheus made for it."""

_PREFIX: Final = "nobet-"


class Shelf:
    """Backups in one folder. Every method raises StackError."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.abandoned: list[str] = []
        """What interrupted backups had noted in SNAPSHOT: it still takes space in Prometheus' folder."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one who writes here for as long as the block lasts. Clears away what an interrupted backup left."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for leftover in self.unfinished():
                    self.abandoned += [note.read_text(encoding="utf-8") for note in leftover.glob(SNAPSHOT)]
                    shutil.rmtree(leftover)
                yield
        except BlockingIOError:
            raise StackError(f"Another backup into {self.folder} is at work. Wait until it has finished.") from None
        except OSError as error:
            raise StackError(
                f"{self.folder} can't be used ({error.strerror}). Free space there, or choose another folder with --to or BACKUP_DIR."
            ) from None

    def begin(self, now: dt.datetime) -> Path:
        """A new folder to fill. Its name is that of the backup and `.part`."""
        path = self.folder / f"{_PREFIX}{now.astimezone(dt.UTC):%Y-%m-%dT%H-%M-%SZ}{PART_SUFFIX}"
        path.mkdir(mode=0o700)
        return path

    def finish(self, part: Path, manifest: Manifest, key: Key) -> Path:
        """Write the manifest, force everything to disk, and give the backup its name."""
        with os.fdopen(os.open(part / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(dump_manifest(manifest, key))
            file.flush()
            os.fsync(file.fileno())
        for folder in (*filter(Path.is_dir, part.iterdir()), part):
            sync_directory(folder)
        final = part.with_name(part.name.removesuffix(PART_SUFFIX))
        part.rename(final)
        sync_directory(self.folder)
        return final

    def unfinished(self) -> list[Path]:
        """What interrupted backups left, or the one that is being made."""
        return sorted(self.folder.glob(f"{_PREFIX}*{PART_SUFFIX}")) if self.folder.is_dir() else []

    def paths(self) -> list[Path]:
        """The backups, oldest first: their names are times."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.glob(f"{_PREFIX}*") if path.is_dir() and not path.name.endswith(PART_SUFFIX))

    def find(self, name: str) -> Path:
        """The folder of a backup: a path, or a name in this folder; without one the newest."""
        paths = self.paths()
        if not name:
            if not paths:
                raise StackError(f"There is no backup in {self.folder}. Make one: nobet backup")
            return paths[-1]
        for candidate in (Path(name), self.folder / name):
            if (candidate / MANIFEST).is_file():
                return candidate.absolute()
            if candidate.name == MANIFEST and candidate.is_file():
                return candidate.parent.absolute()
        if name.rstrip("/").endswith(PART_SUFFIX):
            raise StackError(f"{name} is a backup that was never finished. `nobet backup list` shows the finished ones.")
        raise StackError(f"There is no backup {name}. `nobet backup list` shows those in {self.folder}.")

    def expired(self, keep: int, days: int, now: dt.datetime) -> list[Path]:
        """Backups beyond the newest `keep`, and those older than `days`; never the newest."""
        paths = self.paths()
        limit = now - dt.timedelta(days=days)
        return [path for rank, path in enumerate(reversed(paths)) if rank and (rank >= keep or _made_at(path) < limit)]

    def remove(self, path: Path) -> None:
        """Delete a backup. It loses its name first, so that half of one is never taken for one."""
        try:
            doomed = path.with_name(path.name + PART_SUFFIX)
            path.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise StackError(f"The backup {path} can't be removed ({error.strerror}). Let this user write to it.") from None


def read_manifest(path: Path, key: Key | None = None) -> Manifest:
    """The manifest of a backup. Raises StackError."""
    file = path / MANIFEST
    try:
        return load_manifest(file.read_text(encoding="utf-8"), str(file), key)
    except (OSError, UnicodeDecodeError):
        raise StackError(f"{file} can't be read. The backup is damaged, or belongs to another user.") from None


def _made_at(path: Path) -> dt.datetime:
    """When a backup was begun; one with a name of somebody's own never expires by age."""
    try:
        return dt.datetime.strptime(path.name, f"{_PREFIX}%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
