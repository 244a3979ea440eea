"""One run, put together from the settings: lease, store, archive, policy."""

import datetime as dt
import os
import socket
import threading
from typing import Final

from app.clients.cleanup_state import CleanupLease, CleanupState, LeaseHeldError
from app.clients.elasticsearch import sign_in
from app.clients.index_store import ElasticsearchIndices
from app.core import context
from app.core.archive import Archive
from app.core.archive_files import ArchiveError, ArchiveKey
from app.core.config import Settings
from app.core.index_store import StoreError
from app.core.log_cleanup import INTERRUPTED, CleanupReport, InterruptedRunError, LogCleanup
from app.core.logger import get_logger
from app.core.retention_policy import RetentionPolicy
from app.core.telemetry.template import dead_prefix

COMPONENT: Final = "cleanup"

log = get_logger(__name__)


class CleanupRuns:
    """Makes runs. Each has an id of its own in the log."""

    def __init__(self, settings: Settings, stop: threading.Event | None = None) -> None:
        """A set `stop` ends a run at its next step; nothing is deleted that wasn't proved before."""
        self._settings: Final = settings
        self._stop: Final = stop or threading.Event()
        self._lease: Final = CleanupLease(
            settings.elasticsearch_url,
            sign_in(settings, "cleanup"),
            f"{socket.gethostname()}:{os.getpid()}",
            replicas=settings.elasticsearch_replicas,
        )

    def state(self) -> CleanupState:
        """How the last runs went, on whichever machine. Raises StoreError."""
        return self._lease.state()

    def run(self, night: str = "") -> CleanupReport:
        """Clean up, as the run of that night or by hand. Raises LeaseHeldError, or StoreError when there is no Elasticsearch to ask.

        Every other failure is in the report, logged and noted.
        """
        with context.run(COMPONENT):
            try:
                self._lease.acquire()
                if night and self._lease.state().night >= night:
                    self._lease.release()
                    raise LeaseHeldError("Another process has done this night's cleanup.")
            except LeaseHeldError as error:
                log.info("No cleanup: another process is at it", event="cleanup.skipped", error_message=str(error))
                raise
            except StoreError as error:
                log.error("The cleanup can't begin", event="cleanup.failed", outcome="failure", reason="lease", error_message=str(error))
                raise
            try:
                report = self._work(dry_run=False)
            except Exception:
                self._give_back(None, "")  # a fault of ours; the next look is free to try again
                raise
            self._give_back(report, night)
            return report

    def dry_run(self) -> CleanupReport:
        """What a run would do now. Changes nothing, so it takes no lease."""
        with context.run(COMPONENT):
            return self._work(dry_run=True)

    def close(self) -> None:
        """Close the connection."""
        self._lease.close()

    def _work(self, *, dry_run: bool) -> CleanupReport:
        store = ElasticsearchIndices(self._settings.elasticsearch_url, sign_in(self._settings, "cleanup"))
        try:
            archive = archive_of(self._settings)
            cleanup = LogCleanup(store, archive, policy_of(self._settings), (lambda: None) if dry_run else self._still_wanted)
            return cleanup.run(dt.datetime.now(dt.UTC), dry_run=dry_run)
        except ArchiveError as error:
            log.error("The cleanup can't begin", event="cleanup.failed", outcome="failure", reason="key", error_message=str(error))
            return CleanupReport(dry_run, str(self._settings.log_archive_dir), failure="key", error=str(error))
        finally:
            store.close()

    def _still_wanted(self) -> None:
        if self._stop.is_set():
            raise InterruptedRunError("The process was told to stop. The run is made up for at the next start.")
        try:
            self._lease.renew()
        except LeaseHeldError as error:
            raise InterruptedRunError(f"Another process has taken over. {error}") from None

    def _give_back(self, report: CleanupReport | None, night: str) -> None:
        unfinished = report is None or report.failure == INTERRUPTED
        try:
            self._lease.release(None if unfinished else report, "" if unfinished else night)
        except (LeaseHeldError, StoreError) as error:
            log.warning("The end of the cleanup could not be noted", event="cleanup.unnoted", error_message=str(error))


def archive_of(settings: Settings) -> Archive:
    """The archive of the settings. Raises ArchiveError when the key can't be used."""
    identity = settings.log_archive_identity.get_secret_value()
    if not identity:
        raise ArchiveError("LOG_ARCHIVE_IDENTITY is not set: archives are never written unencrypted. `make up` makes one.")
    return Archive(settings.log_archive_dir.absolute(), ArchiveKey(identity))


def policy_of(settings: Settings) -> RetentionPolicy:
    """Our own prefixes, and those that the settings add."""
    logs = settings.log_index_prefix
    prefixes = dict.fromkeys((logs, settings.effective_events_prefix, dead_prefix(logs), *settings.log_cleanup_prefixes))
    return RetentionPolicy(tuple(prefixes), settings.log_retention_days, settings.log_archive_days, settings.trace_retention_days)
