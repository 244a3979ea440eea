"""Which indices are ours, when they expire, and that nothing goes before everything is safe."""

import datetime as dt
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import context
from app.core.archive import Archive
from app.core.archive_files import ArchiveError, ArchiveKey
from app.core.config import load_settings
from app.core.index_store import Content, IndexInfo, StoreError
from app.core.log_cleanup import INTERRUPTED, InterruptedRunError, LogCleanup
from app.core.log_restore import restore
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.retention_policy import RetentionPolicy
from tests.support.records import spooled

NOW = dt.datetime(2026, 11, 22, 3, 0, tzinfo=dt.UTC)
POLICY = RetentionPolicy(("logs-nobet", "events-nobet", "dead-nobet"), index_days=90, archive_days=365, trace_days=30)


def index_of(days_ago: int, prefix: str = "logs-nobet") -> str:
    """The daily index of so many days before NOW."""
    return f"{prefix}-{NOW.date() - dt.timedelta(days=days_ago):%Y.%m.%d}"


class Shelf:
    """An index store in memory that can be told to fail."""

    def __init__(self, *names: str) -> None:
        self.contents: dict[str, list[bytes]] = {name: [_line(name, number) for number in range(3)] for name in names}
        self.calls: list[tuple[str, str]] = []
        self.failing: tuple[str, str] = ("", "")

    def _called(self, what: str, name: str) -> None:
        self.calls.append((what, name))
        if self.failing == (what, name):
            raise StoreError(f"{what} of {name} fails")

    def indices(self, prefixes: Collection[str]) -> list[IndexInfo]:
        """Everything that begins so."""
        self._called("indices", "")
        return [
            IndexInfo(name, f"uuid-{name}", {"number_of_shards": "1"}, {"dynamic": "false"})
            for name in self.contents
            if name.startswith(tuple(f"{prefix}-" for prefix in prefixes))
        ]

    def content(self, name: str) -> Content:
        """Counts the lines."""
        self._called("content", name)
        return Content(len(self.contents[name]), len(self.contents[name]) - 1)

    def documents(self, name: str) -> Iterator[bytes]:
        """The lines."""
        self._called("documents", name)
        yield from self.contents[name]

    def delete_unchanged(self, index: IndexInfo, content: Content) -> bool:
        """Deletes when the count is the same."""
        self._called("delete", index.name)
        if self.content(index.name) != content:
            return False
        del self.contents[index.name]
        return True

    def exists(self, name: str) -> bool:
        """Whether it is there."""
        return name in self.contents

    def create(self, name: str, settings: dict[str, Any], mappings: dict[str, Any]) -> None:
        """An empty one."""
        assert (settings, mappings) == ({"number_of_shards": "1"}, {"dynamic": "false"})
        self.contents[name] = []

    def add(self, name: str, lines: list[bytes]) -> None:
        """Puts lines in."""
        self._called("add", name)
        self.contents[name] += [line + b"\n" for line in lines]

    def delete(self, name: str) -> None:
        """Takes it away."""
        del self.contents[name]


def _line(name: str, number: int) -> bytes:
    return json.dumps({"_id": f"{name}-{number}", "_source": {"n": number}}).encode() + b"\n"


@pytest.fixture(scope="module")
def key() -> ArchiveKey:
    """A key."""
    return ArchiveKey(str(pyrage.x25519.Identity.generate()))


@pytest.fixture
def archive(tmp_path: Path, key: ArchiveKey) -> Archive:
    """An empty one."""
    return Archive(tmp_path / "archive", key)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    """The records of the test."""
    setup_logging(load_settings(_env_file=None, spool_dir=tmp_path / "spool", log_stdout=False, environment="test"), "cleanup")
    yield tmp_path / "spool"
    shutdown_logging()


@pytest.mark.req("RET-01", "RET-03", "TST-10")
@pytest.mark.parametrize(("days", "expired"), [(0, False), (89, False), (90, False), (91, True), (4000, True), (-1, False)])
def test_an_index_expires_after_its_days(days: int, expired: bool) -> None:
    """90 days are kept, the 91st goes; tomorrow's index, of a clock that is ahead, stays."""
    for prefix in POLICY.prefixes:
        assert POLICY.is_expired(index_of(days, prefix), NOW.date()) is expired


@pytest.mark.req("RET-07", "TST-10")
@pytest.mark.parametrize(
    "name",
    [
        "logs-nobet",
        "logs-nobet-",
        "logs-nobet-2020.02.30",
        "logs-nobet-2020.13.01",
        "logs-nobet-2020.00.01",
        "logs-nobet-0000.01.01",
        "logs-nobet-2020.1.1",
        "logs-nobet-2020-01-01",
        "logs-nobet-2020.01.01 ",
        "logs-nobet-2020.01.01\n",
        "logs-nobet-2020.01.01-000001",
        "logs-nobet-x-2020.01.01",
        "logs-nobetx-2020.01.01",
        "xlogs-nobet-2020.01.01",
        "logs-2020.01.01",
        ".ds-logs-nobet-2020.01.01",
        "jaeger-span-2020-01-01",
        "logs-nobet-٢٠٢٠.٠١.٠١",
    ],
)
def test_foreign_and_malformed_names_never_expire(name: str) -> None:
    """Whatever isn't exactly a prefix of ours and a date of the calendar is somebody else's."""
    assert POLICY.day_of(name) is None


@given(day=st.dates(), name=st.text(max_size=40), days=st.integers(1, 5000), today=st.dates())
def test_only_our_names_have_a_day_and_the_arithmetic_is_the_calendars(day: dt.date, name: str, days: int, today: dt.date) -> None:
    """Any date survives the way into a name and back; any other text means nothing; expired is more than so many days ago."""
    policy = RetentionPolicy(("logs-nobet",), days, 1, 1)
    ours = f"logs-nobet-{day.year:04}.{day.month:02}.{day.day:02}"
    assert policy.day_of(ours) == day
    assert policy.is_expired(ours, today) is (day < today - dt.timedelta(days=days) if today.toordinal() > days else False)
    assert policy.day_of(name) is None or name.startswith("logs-nobet-")
    assert policy.day_of(ours + (name or "x")) is None


@pytest.mark.req("RET-04", "RET-05", "COR-22", "BAK-01")
def test_expired_indices_are_archived_and_deleted_and_it_is_said(archive: Archive, spool: Path) -> None:
    """In order: all archived, then all deleted, then one final record with names, counts, place and duration."""
    shelf = Shelf(index_of(92), index_of(91), index_of(90), "other-2020.01.01")
    with context.run("cleanup"):
        report = LogCleanup(shelf, archive, POLICY).run(NOW)
    assert report.deleted == [index_of(92), index_of(91)]
    assert set(shelf.contents) == {index_of(90), "other-2020.01.01"}
    order = [what for what, _ in shelf.calls if what in ("documents", "delete")]
    assert order == ["documents", "documents", "delete", "delete"]
    records = spooled(spool)
    assert len({record["request_id"] for record in records}) == 1
    assert (records[-1]["event"], records[-1]["count"], records[-1]["extra"]["documents"]) == ("cleanup.completed", 2, 6)
    assert records[-1]["extra"]["location"] == str(archive.folder)


@pytest.mark.req("RET-06")
@pytest.mark.parametrize("step", ["content", "documents"])
def test_a_failure_at_the_last_index_deletes_none(archive: Archive, spool: Path, step: str) -> None:
    """As long as one archive is missing, the others' indices stay too."""
    shelf = Shelf(index_of(93), index_of(92), index_of(91))
    shelf.failing = (step, index_of(91))
    report = LogCleanup(shelf, archive, POLICY).run(NOW)
    assert (report.failure, report.deleted, len(shelf.contents)) == ("archive", [], 3)
    (said,) = [record for record in spooled(spool) if record["level"] == "ERROR"]
    assert (said["event"], said["reason"]) == ("cleanup.failed", "archive")
    assert said["error_message"] == f"{step} of {index_of(91)} fails"


def test_an_archive_that_lacks_a_document_deletes_nothing(archive: Archive, spool: Path) -> None:
    """The archive has as many documents as the index, or the index stays."""
    shelf = Shelf(index_of(91))
    shelf.documents = lambda name: iter(shelf.contents[name][:-1])  # type: ignore[method-assign]
    report = LogCleanup(shelf, archive, POLICY).run(NOW)
    assert (report.failure, report.deleted) == ("archive", [])
    assert "3 documents and its archive 2" in report.error


def test_an_unexpected_fault_is_reported_not_raised(archive: Archive, spool: Path) -> None:
    """A bug in the middle leaves a report, a record with the exception, and the indices."""
    shelf = Shelf(index_of(91))
    shelf.content = lambda name: 1 // 0  # type: ignore[method-assign, assignment, return-value]
    report = LogCleanup(shelf, archive, POLICY).run(NOW)
    assert (report.failure, report.deleted) == ("archive", [])
    assert "ZeroDivisionError" in report.error


def test_a_failed_deletion_names_what_went_before(archive: Archive, spool: Path) -> None:
    """The report tells the truth about a half-done run, and the next run does the rest with the archives that are there."""
    shelf = Shelf(index_of(92), index_of(91))
    shelf.failing = ("delete", index_of(91))
    report = LogCleanup(shelf, archive, POLICY).run(NOW)
    assert (report.failure, report.deleted) == ("delete", [index_of(92)])
    shelf.failing = ("documents", index_of(91))  # not read again
    assert LogCleanup(shelf, archive, POLICY).run(NOW).deleted == [index_of(91)]


def test_a_run_that_is_to_end_deletes_nothing_more(archive: Archive, spool: Path) -> None:
    """Told to stop it ends at the next step, as a warning and not as a failure of the archive."""

    def stop() -> None:
        raise InterruptedRunError("told to stop")

    shelf = Shelf(index_of(91))
    report = LogCleanup(shelf, archive, POLICY, stop).run(NOW)
    assert (report.failure, report.deleted) == (INTERRUPTED, [])
    assert [record["level"] for record in spooled(spool)][-1] == "WARNING"


def test_a_long_run_is_asked_again_and_again_whether_it_is_wanted(archive: Archive, spool: Path) -> None:
    """While it reads out, and while it reads back: the lease is renewed in time, and a stop is heard."""
    shelf = Shelf(index_of(91))
    shelf.contents[index_of(91)] = [_line("x", number) for number in range(5000)]
    asked = []
    LogCleanup(shelf, archive, POLICY, lambda: asked.append(1)).run(NOW)
    assert len(asked) >= 2 * 5


@pytest.mark.req("RET-08")
def test_a_dry_run_only_counts(archive: Archive) -> None:
    """Candidates and documents are named; nothing is read out, made or deleted."""
    shelf = Shelf(index_of(91), index_of(5))
    report = LogCleanup(shelf, archive, POLICY).run(NOW, dry_run=True)
    assert (report.expired, report.documents, report.deleted) == ([index_of(91)], 3, [])
    assert not archive.folder.exists()


@pytest.mark.req("BAK-04")
def test_archives_expire_after_their_own_days(archive: Archive, spool: Path) -> None:
    """365 days stay, a second more goes, with its file; each is said."""
    made = NOW - dt.timedelta(days=365)
    LogCleanup(Shelf(index_of(91)), archive, POLICY).run(made - dt.timedelta(seconds=1))
    older = dt.datetime(2025, 8, 1, tzinfo=dt.UTC)
    LogCleanup(Shelf("logs-nobet-2025.01.01"), archive, POLICY).run(older)
    LogCleanup(Shelf("logs-nobet-2025.06.01"), archive, POLICY).run(made)
    report = LogCleanup(Shelf(), archive, POLICY).run(NOW)
    assert [manifest.index for manifest in archive.manifests()] == ["logs-nobet-2025.06.01"]
    assert len(list(archive.folder.iterdir())) == 2
    assert [name.partition(".uuid")[0] for name in report.archives_expired] == ["logs-nobet-2025.01.01"]
    assert [record["index_name"] for record in spooled(spool) if record.get("event") == "archive.expired"] == ["logs-nobet-2025.01.01"]


def test_an_index_made_anew_never_overwrites_the_archive_of_the_first(archive: Archive, spool: Path) -> None:
    """Late records bring an old name back; both archives exist afterwards."""
    name = index_of(91)
    shelf = Shelf(name)
    LogCleanup(shelf, archive, POLICY).run(NOW)
    late = Shelf(name)
    late.contents[name] = [_line("late", 1)]
    info = IndexInfo(name, "another-uuid", {}, {})
    late.indices = lambda prefixes: [info]  # type: ignore[method-assign]
    assert LogCleanup(late, archive, POLICY).run(NOW).deleted == [name]
    assert sorted(manifest.documents for manifest in archive.find(name)) == [1, 3]


@pytest.mark.req("BAK-03")
def test_restoring_brings_everything_back_or_nothing(archive: Archive, spool: Path) -> None:
    """Documents come back as they were; an index that is there is left alone; a restore that fails leaves no half index."""
    name = index_of(91)
    shelf = Shelf(name)
    before = list(shelf.contents[name])
    LogCleanup(shelf, archive, POLICY).run(NOW)
    (manifest,) = archive.find(name)
    steps: list[int] = []
    assert restore(archive, shelf, manifest, name, steps.append).documents == 3
    assert (shelf.contents[name], steps) == (before, [3])
    with pytest.raises(StoreError, match="There is an index"):
        restore(archive, shelf, manifest, name)
    shelf.failing = ("add", "copy")
    with pytest.raises(StoreError, match="add of copy fails"):
        restore(archive, shelf, manifest, "copy")
    assert "copy" not in shelf.contents
    archive.file_of(manifest).write_bytes(b"x")
    with pytest.raises(ArchiveError):
        restore(archive, shelf, manifest, "other")
    assert "other" not in shelf.contents


@pytest.mark.req("RET-10")
def test_expired_traces_go_without_an_archive(archive: Archive, spool: Path) -> None:
    """Jaeger's indices of 31 days ago go, those of 30 stay, and so does every name that isn't one of them."""
    old, young = (f"jaeger-span-{NOW.date() - dt.timedelta(days=days)}" for days in (31, 30))
    others = ["jaeger-span-read", "jaeger-span-2020-02-30", "jaeger-span-2020.01.01", "jaeger-sampling-2020-01-01"]
    shelf = Shelf(old, young, *others)
    assert LogCleanup(shelf, archive, POLICY).run(NOW, dry_run=True).traces == [old]
    report = LogCleanup(shelf, archive, POLICY).run(NOW)
    assert (report.traces, report.failure) == ([old], "")
    assert set(shelf.contents) == {young, *others}
    assert spooled(spool)[-1]["extra"]["traces"] == [old]
