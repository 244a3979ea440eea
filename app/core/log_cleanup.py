"""Retention of the daily indices: archive what has expired, prove the archives, delete, say so.

In this order, and never out of it:

1. Every expired index is written to an archive (`app.core.archive`), encrypted.
2. Every archive is read back from disk, decrypted, and compared with what the
   index held: number of documents and checksum.
3. Only when that went well for all of them are the indices deleted; each of them
   only if it still holds exactly what its archive holds.

A failure in 1 or 2 deletes nothing at all. A crash anywhere is harmless: what is
archived and not deleted is recognised by the next run, proved again and deleted.
An index is ours when its name is one of our prefixes and a valid date; any other
is not looked at. Archives have a retention of their own. Traces are deleted by age
without an archive: what they tell in detail for a while, the records tell for good.
"""

import datetime as dt
import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.archive import Archive, Manifest
from app.core.archive_files import ArchiveError
from app.core.index_store import Content, IndexInfo, IndexStore, StoreError
from app.core.logger import get_logger
from app.core.retention_policy import TRACE_PREFIXES, RetentionPolicy

INTERRUPTED: Final = "interrupted"
"""`failure` of a run that was asked to end; it is made again, and counts as no failure."""

LINES_BETWEEN_LOOKS: Final = 1000
"""A fraction of a second's work."""

log = get_logger(__name__)


class InterruptedRunError(Exception):
    """Something asked the run to end: the process stops, or another one has taken over. The text says which."""


@dataclass(slots=True)
class CleanupReport:
    """What a run did. `failure` is the name of the step that failed, empty when none did; `error` says why."""

    dry_run: bool
    location: str
    expired: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Archived, and not deleted because they changed meanwhile."""
    documents: int = 0
    """In the deleted indices; in a dry run in the expired ones."""
    archives_expired: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    """Indices of expired traces: deleted, or in a dry run found."""
    seconds: float = 0.0
    failure: str = ""
    error: str = ""


class LogCleanup:
    """One run at a time. `still_wanted` is called often and raises InterruptedRunError when the run is to end."""

    def __init__(
        self, store: IndexStore, archive: Archive, policy: RetentionPolicy, still_wanted: Callable[[], None] = lambda: None
    ) -> None:
        self._store: Final = store
        self._archive: Final = archive
        self._policy: Final = policy
        self._still_wanted: Final = still_wanted

    def run(self, now: dt.datetime, *, dry_run: bool = False) -> CleanupReport:
        """Clean up as of `now`. Never raises for what it works with: the report says what failed, and the log at ERROR."""
        report = CleanupReport(dry_run, str(self._archive.folder))
        started = time.perf_counter()
        step = "list"
        try:
            expired = self._expired(now)
            report.expired = [index.name for index in expired]
            if dry_run:
                self._look(expired, now, report)
                return report
            log.info(f"{len(expired)} indices have expired", event="cleanup.started", count=len(expired), indices=report.expired)
            step = "archive"
            manifests = [(index, self._archived(index, now)) for index in expired]
            step = "delete"
            for index, manifest in manifests:
                self._delete(index, manifest, report)
            step = "expire"
            self._expire_archives(now, report)
            step = "traces"
            for name in self._old_traces(now):
                self._store.delete(name)
                report.traces.append(name)
        except InterruptedRunError as error:
            report.failure, report.error = INTERRUPTED, str(error)
        except (StoreError, ArchiveError) as error:
            report.failure, report.error = step, str(error)
        except Exception as error:
            log.exception("The cleanup has a fault", event="error.raised")
            report.failure, report.error = step, f"{type(error).__name__}: {error}"
        finally:
            report.seconds = time.perf_counter() - started
        self._tell(report)
        return report

    def _expired(self, now: dt.datetime) -> list[IndexInfo]:
        today = now.astimezone(dt.UTC).date()
        found = self._store.indices(self._policy.prefixes)
        return sorted((index for index in found if self._policy.is_expired(index.name, today)), key=lambda index: index.name)

    def _old_traces(self, now: dt.datetime) -> list[str]:
        today = now.astimezone(dt.UTC).date()
        found = self._store.indices(TRACE_PREFIXES)
        return sorted(index.name for index in found if self._policy.are_traces_expired(index.name, today))

    def _look(self, expired: Collection[IndexInfo], now: dt.datetime, report: CleanupReport) -> None:
        """What a run would do now."""
        report.documents = sum(self._store.content(index.name).documents for index in expired)
        report.traces = self._old_traces(now)
        report.archives_expired = [each.name for each in self._archive.manifests() if self._policy.is_archive_expired(each, now)]

    def _archived(self, index: IndexInfo, now: dt.datetime) -> Manifest:
        """The archive of an index, made now or by an earlier run, read back and found complete."""
        self._still_wanted()
        content = self._store.content(index.name)
        earlier = self._usable(index, content)
        if earlier is not None:
            return earlier
        started = time.perf_counter()
        manifest = self._archive.store(index, content, self._watched(self._store.documents(index.name)), now)
        if manifest.documents != content.documents:
            raise ArchiveError(
                f"{index.name} holds {content.documents} documents and its archive {manifest.documents}: it changed meanwhile. "
                "The next run tries again."
            )
        self._archive.check(manifest, self._asking_on())
        log.info(
            f"{index.name} is archived",
            event="cleanup.archived",
            index_name=index.name,
            count=manifest.documents,
            bytes=manifest.file_bytes,
            duration_ms=round((time.perf_counter() - started) * 1000, 3),
            location=str(self._archive.file_of(manifest)),
        )
        return manifest

    def _usable(self, index: IndexInfo, content: Content) -> Manifest | None:
        """The archive that a run which got no further left behind, if it holds the same and can be read."""
        try:
            manifest = self._archive.of(index)
            if manifest is None or manifest.content != content:
                return None
            self._archive.check(manifest, self._asking_on())
        except ArchiveError:
            return None  # it is written anew
        return manifest

    def _watched(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        ask = self._asking_on()
        for line in lines:
            ask(line)
            yield line

    def _asking_on(self) -> Callable[[bytes], None]:
        """Takes lines, and asks every now and then whether the run is still wanted: a large index takes longer than a lease."""
        numbers = itertools.count()

        def ask(_line: bytes) -> None:
            if next(numbers) % LINES_BETWEEN_LOOKS == 0:
                self._still_wanted()

        return ask

    def _delete(self, index: IndexInfo, manifest: Manifest, report: CleanupReport) -> None:
        self._still_wanted()
        if not self._store.delete_unchanged(index, manifest.content):
            report.kept.append(index.name)
            log.warning(f"{index.name} changed after it was archived; it stays", event="cleanup.kept", index_name=index.name)
            return
        report.deleted.append(index.name)
        report.documents += manifest.documents
        log.info(
            f"{index.name} is deleted",
            event="cleanup.deleted",
            index_name=index.name,
            count=manifest.documents,
            location=str(self._archive.file_of(manifest)),
        )

    def _expire_archives(self, now: dt.datetime, report: CleanupReport) -> None:
        for manifest in self._archive.manifests():
            if self._policy.is_archive_expired(manifest, now):
                self._archive.remove(manifest)
                report.archives_expired.append(manifest.name)
                log.info(
                    f"The archive {manifest.name} has expired and is removed",
                    event="archive.expired",
                    index_name=manifest.index,
                    count=manifest.documents,
                )

    def _tell(self, report: CleanupReport) -> None:
        """The final record: names, counts, place, duration."""
        facts: dict[str, Any] = {
            "count": len(report.deleted),
            "duration_ms": round(report.seconds * 1000, 3),
            "indices": report.deleted,
            "documents": report.documents,
            "kept": report.kept,
            "archives_expired": report.archives_expired,
            "traces": report.traces,
            "location": report.location,
        }
        if report.failure:
            say = log.warning if report.failure == INTERRUPTED else log.error
            say(
                f"The cleanup ended early: {report.failure}",
                event="cleanup.failed",
                outcome="failure",
                reason=report.failure,
                error_message=report.error,
                expired=report.expired,
                **facts,
            )
        else:
            log.info(f"{len(report.deleted)} expired indices are deleted", event="cleanup.completed", outcome="success", **facts)
