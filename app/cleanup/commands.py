"""What people ask for by hand: a cleanup now, and what can be done with the archives. Each returns an exit code."""

import datetime as dt
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from app.cleanup.runs import COMPONENT, CleanupRuns, archive_of
from app.clients.cleanup_state import LeaseHeldError
from app.clients.elasticsearch import sign_in
from app.clients.index_store import ElasticsearchIndices
from app.core import context
from app.core.archive_files import ArchiveError
from app.core.config import Settings
from app.core.index_store import StoreError
from app.core.log_restore import restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.core.archive import Archive, Manifest
    from app.core.log_cleanup import CleanupReport


def clean_up(settings: Settings, *, dry_run: bool) -> int:
    """Archive and delete what has expired, now; or only say what would go."""
    runs = CleanupRuns(settings)
    try:
        with _busy("Looking for expired indices" if dry_run else "Archiving and deleting what has expired"):
            report = runs.dry_run() if dry_run else runs.run()
    except (LeaseHeldError, StoreError) as error:
        return _fail(str(error))
    finally:
        runs.close()
    _print_report(report, settings)
    return _fail(f"The cleanup failed in the step {report.failure}: {report.error}") if report.failure else 0


def list_archives(settings: Settings) -> int:
    """One line for each archive."""
    return _with_archive(settings, _print_archives)


def verify(settings: Settings, names: list[str]) -> int:
    """Read archives back from disk and compare them with their manifests; without names all of them."""

    def work(archive: "Archive") -> int:
        chosen = [manifest for name in names for manifest in _found(archive, name)] if names else archive.manifests()
        bad = 0
        for manifest in chosen:
            try:
                with _busy(f"Reading {manifest.name}"):
                    archive.check(manifest)
                _say(f"{manifest.name}  {manifest.documents} documents, complete")
            except ArchiveError as error:
                bad += _fail(str(error))
        _say(f"{len(chosen) - bad} of {len(chosen)} archives are complete.")
        return 1 if bad else 0

    return _with_archive(settings, work)


def bring_back(settings: Settings, name: str, target: str) -> int:
    """Restore an archive into an index: its own name again, or `target`."""

    def work(archive: "Archive") -> int:
        found = _found(archive, name)
        if len(found) > 1:
            return _fail(f"{name} has {len(found)} archives: {', '.join(manifest.name for manifest in found)}. Name one of them.")
        store = ElasticsearchIndices(settings.elasticsearch_url, sign_in(settings, "admin"))
        try:
            with context.run(COMPONENT), _busy(f"Restoring {found[0].index}") as tell:
                done = restore(
                    archive, store, found[0], target or found[0].index, lambda count: tell(f"{count} of {found[0].documents} documents")
                )
        except StoreError as error:
            return _fail(str(error))
        finally:
            store.close()
        _say(f"{done.documents} documents are back, in {done.index}.")
        return 0

    return _with_archive(settings, work)


def _with_archive(settings: Settings, work: "Callable[[Archive], int]") -> int:
    try:
        return work(archive_of(settings))
    except ArchiveError as error:
        return _fail(str(error))


def _found(archive: "Archive", name: str) -> "list[Manifest]":
    found = archive.find(name)
    if not found:
        raise ArchiveError(f"There is no archive {name} in {archive.folder}. `nobet archive list` shows what there is.")
    return found


def _print_archives(archive: "Archive") -> int:
    manifests = archive.manifests()
    for manifest in manifests:
        _say(f"{manifest.archived_at}  {manifest.documents:>10} documents  {manifest.file_bytes:>12} bytes  {manifest.name}")
    _say(f"{len(manifests)} {'archive' if len(manifests) == 1 else 'archives'} in {archive.folder}.")
    return 0


def _print_report(report: "CleanupReport", settings: Settings) -> None:
    for name in report.expired if report.dry_run else report.deleted:
        _say(name)
    before = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=settings.log_retention_days)
    verb = "would be archived and deleted" if report.dry_run else f"archived in {report.location} and deleted"
    _say(f"{len(report.expired if report.dry_run else report.deleted)} indices older than {before}, {report.documents} documents, {verb}.")
    for name in report.kept:
        _say(f"{name} changed after it was archived; it stays until the next run.")
    if report.traces:
        _say(
            f"{len(report.traces)} indices of traces older than {settings.trace_retention_days} days {'would be ' * report.dry_run}deleted."
        )
    if report.archives_expired:
        _say(f"{len(report.archives_expired)} archives older than {settings.log_archive_days} days {'would be ' * report.dry_run}removed.")


@contextmanager
def _busy(what: str) -> "Iterator[Callable[[str], None]]":
    """A moving line on a terminal for as long as the block lasts; call what it gives to add how far it is."""
    with Console(stderr=True).status(f"{what} …") as status:
        yield lambda detail: status.update(f"{what}: {detail}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _fail(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1
