"""Brings an archive back into an index."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.core.archive import Archive, Manifest
from app.core.archive_files import ArchiveError
from app.core.index_store import IndexStore, StoreError
from app.core.logger import get_logger

BATCH_DOCUMENTS: Final = 1000
BATCH_BYTES: Final = 4 * 1024 * 1024

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """How many documents are back, and where."""

    index: str
    documents: int


def restore(
    archive: Archive, store: IndexStore, manifest: Manifest, target: str, progress: Callable[[int], None] = lambda _documents: None
) -> Restored:
    """Write an archive into the new index `target`, and count what arrived.

    Never touches an index that is there. Raises ArchiveError or StoreError, and
    leaves no half-restored index behind: what it made, it takes away again.
    """
    if store.exists(target):
        raise StoreError(f"There is an index {target} already. Choose another name with --as, or delete that index first.")
    started = time.perf_counter()
    archive.check(manifest)  # a damaged one makes no index at all
    store.create(target, manifest.settings, manifest.mappings)
    try:
        _fill(archive, store, manifest, target, progress)
        found = store.content(target).documents
        if found != manifest.documents:
            raise ArchiveError(f"{target} has {found} documents, and the archive {manifest.documents}. Try again.")
    except BaseException:
        store.delete(target)
        raise
    log.info(
        f"{manifest.index} is restored into {target}",
        event="archive.restored",
        index_name=target,
        count=found,
        duration_ms=round((time.perf_counter() - started) * 1000, 3),
        location=str(archive.file_of(manifest)),
    )
    return Restored(target, found)


def _fill(archive: Archive, store: IndexStore, manifest: Manifest, target: str, progress: Callable[[int], None]) -> None:
    batch: list[bytes] = []
    size = done = 0

    def flush() -> None:
        nonlocal size, done
        store.add(target, batch)
        done += len(batch)
        progress(done)
        batch.clear()
        size = 0

    def take(line: bytes) -> None:
        nonlocal size
        batch.append(line)
        size += len(line)
        if len(batch) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
            flush()

    archive.check(manifest, take)
    if batch:
        flush()
