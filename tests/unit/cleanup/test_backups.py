"""What the cleanup process knows and shows about backups of the stack."""

from pathlib import Path

import pytest

from app.cleanup import backups
from app.clients.backup_notes import BackupNote
from app.core.config import load_settings
from tests.support.asgi import sample
from tests.support.records import logging_to, spooled


class Notes:
    """The document in Elasticsearch."""

    def __init__(self) -> None:
        self.note = BackupNote()

    def read(self) -> BackupNote:
        """See BackupNotes."""
        return self.note

    def write(self, note: BackupNote) -> None:
        """See BackupNotes."""
        self.note = note

    def close(self) -> None:
        """See BackupNotes."""


@pytest.mark.req("ALR-21")
def test_a_failure_is_noted_until_the_next_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record says which and why; the note keeps the time of the last good one through a failure."""
    notes = Notes()
    monkeypatch.setattr(backups, "notes_of", lambda _settings: notes)
    with logging_to(tmp_path) as settings:
        assert backups.note(settings, seconds=2.5, size=10, count=3, name="nobet-1", failure="") == 0
        good = notes.note
        assert (good.seconds, good.size, good.failed) == (2.5, 10, False)
        assert backups.note(settings, seconds=1, size=0, count=0, name="", failure="The disk is full.") == 0
        assert notes.note == BackupNote(good.last_success_at, 2.5, 10, failed=True)
        backups.note(settings, seconds=1, size=11, count=3, name="nobet-2", failure="")
        assert notes.note.failed is False
    told = [record for record in spooled(tmp_path) if record["event"].startswith("backup.")]
    assert [(record["event"], record["level"]) for record in told] == [
        ("backup.completed", "INFO"),
        ("backup.failed", "ERROR"),
        ("backup.completed", "INFO"),
    ]
    assert told[1]["error_message"] == "The disk is full."


def test_what_is_known_is_shown() -> None:
    """The metrics that the alerts look at: the last success, and how often one is expected."""
    backups.show(load_settings(_env_file=None, backup_every_hours=24), BackupNote(1000.0, 5.0, 77, failed=True))
    assert sample("backup_last_success_timestamp_seconds") == 1000
    assert sample("backup_last_size_bytes") == 77
    assert sample("backup_failed") == 1
    assert sample("backup_interval_seconds") == 86400
