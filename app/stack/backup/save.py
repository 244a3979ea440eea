"""Makes a backup: every store, read back, with a manifest; then those that are too old go."""

import datetime as dt
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.stack.backup.model import Manifest
from app.stack.backup.place import Place
from app.stack.backup.saver import Saver
from app.stack.backup.sealed import Key
from app.stack.backup.shelf import Shelf
from app.stack.backup.steps import SETTINGS, STEPS, Step
from app.stack.errors import StackError

Tell = Callable[[str, str, str], None]
"""Is told of each step: store (or VERIFY), state, detail."""

VERIFY = "verify"


@dataclass(slots=True)
class Made:
    """A backup that was made."""

    path: Path
    manifest: Manifest
    removed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long backups are kept: so many, and none older than so many days. The newest stays in any case."""

    count: int
    days: int


def present(place: Place) -> list[Step]:
    """The stores that this stack has."""
    return [step for step in STEPS if step.store == SETTINGS or place.has(step.store)]


def make_backup(place: Place, shelf: Shelf, key: Key, keep: Keep, app_version: str, tell: Tell) -> Made:
    """Save everything, or nothing at all. The backup exists when this returns, not before. Raises StackError."""
    steps = present(place)
    for step in steps:
        if step.server:
            place.must_run(step.server)
    now, started = dt.datetime.now(dt.UTC), time.monotonic()
    with shelf.writing():
        folder = shelf.begin(now)
        try:
            saver = Saver(folder, key)
            saver.know(shelf)
            for step in steps:
                _save(step, place, saver, tell)
            saver.tell = lambda text: tell(VERIFY, "reading back", text)
            tell(VERIFY, "reading back", "")
            saver.verify()
            manifest = Manifest(
                name=folder.name.removesuffix(".part"),
                created_at=now.isoformat(timespec="seconds"),
                mode=place.mode,
                app_version=app_version,
                recipient=key.recipient,
                seconds=round(time.monotonic() - started, 3),
                versions=saver.versions,
                parts=tuple(saver.parts),
            )
            path = shelf.finish(folder, manifest, key)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        tell(VERIFY, "intact", f"{len(manifest.parts)} files")
        made = Made(path, manifest)
        for expired in shelf.expired(keep.count, keep.days, now):
            shelf.remove(expired)
            made.removed.append(expired.name)
    return made


def _save(step: Step, place: Place, saver: Saver, tell: Tell) -> None:
    tell(step.store, "saving", "")
    saver.tell = lambda text: tell(step.store, "saving", text)
    try:
        told = step.save(place, saver)
    except StackError as error:
        tell(step.store, "failed", str(error))
        raise
    except OSError as error:
        tell(step.store, "failed", error.strerror or type(error).__name__)
        raise StackError(f"{step.title} can't be saved ({error.strerror or type(error).__name__}). Run again.") from None
    tell(step.store, "saved", told)
