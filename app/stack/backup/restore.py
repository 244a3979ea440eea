"""Puts a backup into an empty stack, and counts what arrived in every store."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.stack.backup import indices, place, postgres
from app.stack.backup.model import Manifest, Part
from app.stack.backup.place import Place
from app.stack.backup.prometheus import restore_prometheus
from app.stack.backup.save import VERIFY, Tell
from app.stack.backup.saver import verify_part
from app.stack.backup.sealed import Key, unseal
from app.stack.backup.shelf import read_manifest
from app.stack.backup.steps import SETTINGS
from app.stack.backup.streams import Pour, Take
from app.stack.backup.trees import restore_archives, restore_tree
from app.stack.errors import StackError


def verify_backup(path: Path, key: Key, tell: Callable[[str], None] = lambda _text: None) -> Manifest:
    """Read a whole backup back and compare it with its manifest, and that with its proof. Raises StackError."""
    manifest = read_manifest(path, key)
    for number, part in enumerate(manifest.parts, start=1):
        tell(f"{number} of {len(manifest.parts)} files")
        verify_part(path, part, key)
    return manifest


def restore_backup(stack: Place, path: Path, key: Key, tell: Tell, *, force: bool) -> tuple[Manifest, str]:
    """Bring everything back. Returns the manifest, and where went what was there before.

    Nothing is touched before all of the backup was read back. A stack that has data is left alone without `force`.
    Raises StackError; run again, it begins anew.
    """
    tell(VERIFY, "reading back", "")
    manifest = verify_backup(path, key, lambda text: tell(VERIFY, "reading back", text))
    tell(VERIFY, "intact", f"{len(manifest.parts)} files")
    occupied = stack.occupied()
    if occupied and not force:
        raise StackError(
            f"This stack has data already: {', '.join(occupied)}. "
            "Restore into an empty one, or with --force, which puts the present data aside."
        )
    aside = stack.make_room()
    _Restore(stack, path, key, manifest, tell).run()
    stack.finished()
    return manifest, aside


class _Restore:
    """One restore: settings and folders first, then the servers that are needed, then their data."""

    def __init__(self, stack: Place, path: Path, key: Key, manifest: Manifest, tell: Tell) -> None:
        self._stack = stack
        self._path = path
        self._key = key
        self._manifest = manifest
        self._tell = tell

    def run(self) -> None:
        """In the order that the stores need."""
        self._step(SETTINGS, self._settings)
        for store in place.TREES:
            self._step(store, partial(self._tree, store))
        self._step(place.PROMETHEUS, self._prometheus)
        self._step(place.ARCHIVES, lambda: restore_archives(self._stack, [(part, self._pour(part)) for part in self._of(place.ARCHIVES)]))
        for store in (postgres.NAME, indices.NAME):
            if self._of(store):
                self._tell(store, "starting", "")
        self._stack.start_stores()
        self._step(postgres.NAME, self._postgres)
        self._step(indices.NAME, self._indices)

    def _step(self, store: str, work: Callable[[], str]) -> None:
        if not self._of(store):
            return
        self._tell(store, "restoring", "")
        try:
            told = work()
        except StackError as error:
            self._tell(store, "failed", str(error))
            raise
        self._tell(store, "restored", told)

    def _settings(self) -> str:
        (part,) = self._of(SETTINGS)
        text = bytearray()
        self._pour(part)(text.extend)
        self._stack.put_settings(text.decode())
        return f"{part.counts['settings']} settings, secrets among them"

    def _tree(self, store: str) -> str:
        (part,) = self._of(store)
        return restore_tree(self._stack, store, self._pour(part), part.counts)

    def _prometheus(self) -> str:
        (part,) = self._of(place.PROMETHEUS)
        return restore_prometheus(self._stack, self._pour(part), part.counts)

    def _postgres(self) -> str:
        (part,) = self._of(postgres.NAME)
        return postgres.restore_postgres(self._stack, self._pour(part), part.counts)

    def _indices(self) -> str:
        parts = self._of(indices.NAME)
        total = self._manifest.total(indices.NAME, indices.DOCUMENTS)
        done = 0
        for part in parts:
            before = done
            done += indices.restore_index(
                self._stack,
                part,
                self._pour(part),
                lambda count, before=before: self._tell(indices.NAME, "restoring", f"{before + count:,} of {total:,} documents"),  # type: ignore[misc]
            )
        return f"{done:,} documents in {len(parts)} indices"

    def _of(self, store: str) -> list[Part]:
        return self._manifest.of(store)

    def _pour(self, part: Part) -> Pour:
        def pour(take: Take) -> None:
            unseal(self._path / part.file, self._key, take)

        return pour
