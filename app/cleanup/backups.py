"""How backups of the stack go: the note that the `nobet backup` command leaves, its log record, and its metrics."""

import sys
import time
from dataclasses import replace
from typing import Any, Final

from app.cleanup.runs import COMPONENT
from app.clients.backup_notes import BackupNote, BackupNotes
from app.clients.elasticsearch import sign_in
from app.core import context, metrics
from app.core.config import Settings
from app.core.index_store import StoreError
from app.core.logger import get_logger

_HOUR: Final = 3600.0

log = get_logger(__name__)


def notes_of(settings: Settings) -> BackupNotes:
    """The notes, as the user that may write them."""
    return BackupNotes(settings.elasticsearch_url, sign_in(settings, "cleanup"), replicas=settings.elasticsearch_replicas)


def note(settings: Settings, *, seconds: float, size: int, count: int, name: str, failure: str) -> int:
    """Write the log record of a backup that has ended, and the note of it. Exit code 1 when it can't be noted."""
    notes = notes_of(settings)
    with context.run(COMPONENT):
        facts: dict[str, Any] = {"duration_ms": round(seconds * 1000, 3), "count": count, "bytes": size, "backup": name}
        if failure:
            log.error(
                "The backup failed", event="backup.failed", outcome="failure", error_message=failure, duration_ms=facts["duration_ms"]
            )
        else:
            log.info(f"The backup {name} is complete", event="backup.completed", outcome="success", **facts)
        try:
            before = notes.read()
            after = replace(before, failed=True) if failure else BackupNote(time.time(), seconds, size)
            notes.write(after)
        except StoreError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            notes.close()
    return 0


def show(settings: Settings, known: BackupNote) -> None:
    """Bring the metrics up to what is known."""
    metrics.gauge("backup_last_success_timestamp_seconds").set(known.last_success_at)
    metrics.gauge("backup_last_duration_seconds").set(known.seconds)
    metrics.gauge("backup_last_size_bytes").set(known.size)
    metrics.gauge("backup_failed").set(1 if known.failed else 0)
    metrics.gauge("backup_interval_seconds").set(settings.backup_every_hours * _HOUR)
