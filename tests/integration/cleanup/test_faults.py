"""FAULTS 27 and its neighbours: whatever fails, no document is lost, and a later run completes the work."""

import os
import random
import signal
import subprocess
from typing import Any

import pytest

from app.clients.cleanup_state import LEASE_SECONDS, LeaseHeldError
from app.clients.index_store import ElasticsearchIndices
from app.core.archive import Archive, Manifest
from app.core.archive_files import ArchiveError
from app.core.log_setup import setup_logging
from tests.integration.cleanup.conftest import MakeRetention
from tests.support.disks import small_disk
from tests.support.records import spooled
from tests.support.retention import Retention
from tests.support.waiting import wait_until

SEED = int(os.environ.get("CLEANUP_SEED", "") or random.randrange(1 << 32))


def filled(retention: Retention, count: int = 3, documents: int = 50) -> dict[str, dict[str, Any]]:
    """Some expired indices, and what is in them."""
    names = [retention.fill(retention.index_of(91 + number), documents) for number in range(count)]
    return {name: retention.documents(name) for name in names}


def failures(retention: Retention) -> list[dict[str, Any]]:
    """What the runs said at ERROR."""
    return [record for record in spooled(retention.spool) if record["level"] == "ERROR"]


@pytest.mark.req("RET-06", "ALR-21")
def test_a_full_archive_disk_deletes_nothing(retention: Retention) -> None:
    """FAULTS 27: the first archive fits, the others don't; all indices stay, the failure is at ERROR and counted, no half file is left."""
    with small_disk(retention.folder, "16k"):
        retention.fill(retention.index_of(99), 2)
        expected = filled(retention, 2, 5000)
        done = retention.command("run")
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "set LOG_ARCHIVE_DIR" in done.stderr
        assert expected.keys() <= retention.indices()
        assert not list(retention.folder.glob("*.part"))
    assert [(record["event"], record["reason"]) for record in failures(retention)] == [("cleanup.failed", "archive")]
    state = retention.runs.state()
    assert (state.failed, state.failures, state.runs, state.indices) == (True, 1, 1, 0)

    assert retention.command("run").returncode == 0
    retention.assert_nothing_is_lost(expected)
    assert not retention.runs.state().failed


@pytest.mark.req("RET-06")
def test_an_unusable_archive_folder_deletes_nothing(retention: Retention) -> None:
    """FAULTS 27: a file is where the folder should be."""
    expected = filled(retention)
    retention.folder.parent.mkdir(parents=True, exist_ok=True)
    retention.folder.write_text("")
    done = retention.command("run")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert expected.keys() <= retention.indices()
    assert [record["reason"] for record in failures(retention)] == ["archive"]


@pytest.mark.req("RET-06", "BAK-02")
@pytest.mark.parametrize("identity", ["", "AGE-SECRET-KEY-1NOT-REALLY-ONE"])
def test_without_a_key_nothing_is_written_and_nothing_deleted(make_retention: MakeRetention, identity: str) -> None:
    """Archives are never written in the clear; the key itself is not shown."""
    retention = make_retention(log_archive_identity=identity)
    expected = filled(retention)
    done = retention.command("run")
    assert done.returncode == 1
    assert "LOG_ARCHIVE_IDENTITY" in done.stderr
    assert "NOT-REALLY-ONE" not in done.stderr
    assert expected.keys() <= retention.indices()
    assert not retention.folder.exists()


def damaging(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a byte of every archive flips between writing and reading back."""
    store = Archive.store

    def store_and_damage(self: Archive, *arguments: Any) -> Manifest:
        manifest = store(self, *arguments)
        file = self.file_of(manifest)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        return manifest

    monkeypatch.setattr(Archive, "store", store_and_damage)


@pytest.mark.req("RET-06", "RET-04")
def test_a_damaged_archive_is_noticed_before_anything_is_deleted(retention: Retention, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is read back; a flipped bit ends the run."""
    setup_logging(retention.settings, "cleanup")
    expected = filled(retention)
    with monkeypatch.context() as patch:
        damaging(patch)
        report = retention.runs.run()
    assert (report.failure, report.deleted) == ("archive", [])
    assert expected.keys() <= retention.indices()
    assert retention.runs.run().failure == ""
    retention.assert_nothing_is_lost(expected)


def test_without_the_check_the_oracle_notices(retention: Retention, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a cleanup that doesn't read its archives back loses documents, and the oracle of these tests sees it."""
    setup_logging(retention.settings, "cleanup")
    expected = filled(retention)
    with monkeypatch.context() as patch:
        damaging(patch)
        patch.setattr(Archive, "check", lambda *_: None)
        assert retention.runs.run().failure == ""
    with pytest.raises(ArchiveError):
        retention.assert_nothing_is_lost(expected)


def test_a_crash_between_archive_and_deletion_is_completed_by_the_next_run(retention: Retention, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archives that are there are proved again and used, not made twice."""
    setup_logging(retention.settings, "cleanup")
    expected = filled(retention)

    class PowerFailureError(BaseException):
        """Nothing after it runs."""

    def crash(*_: object) -> bool:
        raise PowerFailureError

    with monkeypatch.context() as patch:
        patch.setattr(ElasticsearchIndices, "delete_unchanged", crash)
        with pytest.raises(PowerFailureError):
            retention.runs.run()
    written = {path.name: path.stat().st_mtime_ns for path in retention.folder.iterdir()}
    assert len(written) == 2 * len(expected)
    assert expected.keys() <= retention.indices()

    with pytest.raises(LeaseHeldError, match="under way"):
        retention.runs.run()
    retention.forget()  # what LEASE_SECONDS of waiting would do
    assert sorted(retention.runs.run().deleted) == sorted(expected)
    assert {path.name: path.stat().st_mtime_ns for path in retention.folder.iterdir()} == written
    retention.assert_nothing_is_lost(expected)


def test_kill_9_at_any_moment_loses_nothing(retention: Retention) -> None:
    """Killed at ten random moments, then left alone: every document is in its index or in its archive, and in the end in the archive."""
    print(f"CLEANUP_SEED={SEED}")
    chance = random.Random(SEED)
    expected = filled(retention, 6, 2000)
    for _ in range(10):
        process = retention.start("run")
        try:
            process.wait(timeout=chance.uniform(0.3, 3.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        retention.assert_nothing_is_lost(expected)
        retention.forget()
    assert retention.command("run").returncode == 0
    assert not expected.keys() & retention.indices()
    retention.assert_nothing_is_lost(expected)
    assert not list(retention.folder.glob("*.part"))


@pytest.mark.req("RET-02")
def test_of_two_runners_at_once_one_works(retention: Retention) -> None:
    """Two processes start together: each index is archived and deleted once, and who is turned away says so."""
    expected = filled(retention, 4, 2000)
    processes = [retention.start("run") for _ in range(2)]
    outputs = [(process.communicate(timeout=120), process.returncode) for process in processes]
    deleted = [line for (out, _), _ in outputs for line in out.splitlines() if line in expected]
    assert sorted(deleted) == sorted(expected)
    assert all(code == 0 or "A cleanup is under way" in error for (_, error), code in outputs), outputs
    assert len(retention.archive.manifests()) == len(expected)
    retention.assert_nothing_is_lost(expected)


@pytest.mark.req("RET-02")
def test_a_lease_has_one_holder_and_an_end(retention: Retention) -> None:
    """A second one is refused until the first is over or has been silent for LEASE_SECONDS; who lost it is told when it goes on."""
    first = retention.lease()
    first.acquire()
    with pytest.raises(LeaseHeldError, match=r"elsewhere:1"):
        retention.lease(ahead=LEASE_SECONDS - 10).acquire()
    heir = retention.lease(ahead=LEASE_SECONDS + 10)
    heir.acquire()
    with pytest.raises(LeaseHeldError, match="another process"):
        first.release()
    with pytest.raises(LeaseHeldError):
        first.renew()
    heir.release()
    first.acquire()
    first.release()


def test_a_run_that_is_told_to_stop_deletes_nothing_more_and_counts_as_no_failure(retention: Retention) -> None:
    """SIGTERM in the middle: the night is not noted as done, so the next start makes up for it."""
    expected = filled(retention, 3, 3000)
    process = retention.start("serve")
    wait_until("the run having begun", lambda: retention.folder.exists() and list(retention.folder.iterdir()), 60)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    retention.assert_nothing_is_lost(expected)
