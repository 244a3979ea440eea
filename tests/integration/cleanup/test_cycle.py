"""Archive, prove, delete, restore: over a real Elasticsearch, as nobet_cleanup."""

import datetime as dt

import pyrage
import pytest

from app.clients.index_store import ElasticsearchIndices
from app.core.archive_files import ArchiveError, ArchiveKey, read
from app.core.index_store import StoreError
from app.core.log_setup import setup_logging
from tests.integration.cleanup.conftest import MakeRetention
from tests.support.records import spooled
from tests.support.retention import Retention
from tests.support.waiting import wait_until

DAY_LEFT_SECONDS = 60
"""More than it takes to make a dozen indices and to clean up once."""


def _day_is_long() -> bool:
    now = dt.datetime.now(dt.UTC)
    return (now + dt.timedelta(seconds=DAY_LEFT_SECONDS)).date() == now.date()


@pytest.mark.req("RET-01", "RET-03", "RET-04", "RET-07", "BAK-01", "ELK-07", "TST-10")
def test_only_expired_indices_of_our_prefixes_go_and_each_has_an_archive(make_retention: MakeRetention) -> None:
    """89 and 90 days stay, 91 goes; so for logs, events, dead letters and a further prefix. Foreign and malformed names survive."""
    wait_until("midnight UTC being over, at which 90 days become 91", _day_is_long, 2 * DAY_LEFT_SECONDS, pause=1)
    retention = make_retention(log_cleanup_prefixes="logs-elk")
    name = retention.name
    retention.values["log_cleanup_prefixes"] = f"logs-elk{name}"
    prefixes = [f"logs-{name}", f"events-{name}", f"dead-{name}", f"logs-elk{name}"]
    expired = {retention.fill(retention.index_of(91, prefix), 5): 5 for prefix in prefixes}
    young = [retention.fill(retention.index_of(days, prefix)) for prefix in prefixes for days in (0, 89, 90)]
    foreign = [
        f"foreign-{name}-2020.01.01",
        f"logs-{name}-2020.02.30",
        f"logs-{name}-2020.1.1",
        f"logs-{name}-2020.01.01-copy",
        f"logs-{name}x-2020.01.01",
        f"logs-{name}-other-2020.01.01",
        f"logs-{name}",
    ]
    for other in foreign:
        retention.fill(other)
    retention.ask("PUT", f"/{foreign[0]}/_alias/logs-{name}-2019.01.01")
    documents = {index: retention.documents(index) for index in expired}

    report = retention.runs.run()

    assert report.failure == "", report.error
    assert sorted(report.deleted) == sorted(expired)
    assert report.documents == 20
    assert retention.indices() == {*young, *foreign}
    retention.assert_nothing_is_lost(documents)


@pytest.mark.req("BAK-02", "PRV-13")
def test_archives_are_unreadable_without_the_key(retention: Retention) -> None:
    """No word of a record is in the file; another key opens nothing; only the owner may read files and folder."""
    retention.fill(retention.index_of(91))
    retention.runs.run()
    (manifest,) = retention.archive.manifests()
    file = retention.archive.file_of(manifest)
    assert file.read_bytes().startswith(b"age-encryption.org/v1\n-> X25519 ")
    assert "ışık".encode() not in file.read_bytes()
    assert {path.stat().st_mode & 0o777 for path in retention.folder.iterdir()} == {0o600}
    assert retention.folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ArchiveError, match="another key"):
        read(file, ArchiveKey(str(pyrage.x25519.Identity.generate())))


@pytest.mark.req("RET-08")
def test_a_dry_run_lists_and_touches_nothing(retention: Retention) -> None:
    """The candidates are named with their documents; indices stay, no archive is made, no lease is taken."""
    old = retention.fill(retention.index_of(91), 7)
    said = retention.command("run", "--dry-run")
    assert said.returncode == 0, said.stderr
    assert old in said.stdout
    assert "7 documents, would be archived and deleted" in said.stdout
    assert old in retention.indices()
    assert not retention.folder.exists()


@pytest.mark.req("RET-05", "COR-22", "RET-08")
def test_a_run_is_told_in_records_of_one_id(retention: Retention) -> None:
    """Each index with its count and place, and one final record with names, counts, place and duration."""
    names = sorted(retention.fill(retention.index_of(days), 4) for days in (91, 92))
    said = retention.command("run")
    assert said.returncode == 0, said.stderr
    records = [record for record in spooled(retention.spool) if record["service_name"] == "cleanup"]
    assert len({record["request_id"] for record in records}) == 1
    events = [record["event"] for record in records]
    assert events == ["cleanup.started", *["cleanup.archived"] * 2, *["cleanup.deleted"] * 2, "cleanup.completed"]
    last = records[-1]
    assert (last["outcome"], last["count"]) == ("success", 2)
    assert last["duration_ms"] > 0
    assert last["extra"]["indices"] == names
    assert last["extra"]["documents"] == 8
    assert last["extra"]["location"] == str(retention.folder)


@pytest.mark.req("BAK-03", "RET-04")
def test_an_archive_comes_back_whole(retention: Retention) -> None:
    """Into its own name and into another: documents, ids and mapping are what they were; an index that is there is refused."""
    old = retention.index_of(91)
    retention.fill(old, 2500)
    mapping = retention.ask("GET", f"/{old}/_mapping")[old]
    documents = retention.documents(old)
    assert retention.command("run").returncode == 0
    assert old not in retention.indices()

    said = retention.command("restore", old)
    assert said.returncode == 0, said.stderr
    assert "2500 documents are back" in said.stdout
    assert retention.documents(old) == documents
    assert retention.ask("GET", f"/{old}/_mapping")[old] == mapping

    refused = retention.command("restore", old)
    assert refused.returncode == 1
    assert "There is an index" in refused.stderr
    assert retention.documents(old) == documents

    copy = f"logs-{retention.name}-restored"
    assert retention.command("restore", old, "--as", copy).returncode == 0
    assert retention.documents(copy) == documents

    listed = retention.command("list")
    assert "2500 documents" in listed.stdout
    verified = retention.command("verify")
    assert "1 of 1 archives are complete." in verified.stdout


@pytest.mark.req("ACC-02")
def test_the_cleanup_may_do_no_more_than_it_must(retention: Retention) -> None:
    """Its user can't add a log record, nor read what isn't ours."""
    store = ElasticsearchIndices(retention.settings.elasticsearch_url, retention.stack.sign_in("cleanup"))
    index = retention.fill(retention.index_of(5))
    foreign = retention.fill(f"foreign-{retention.name}")
    with pytest.raises(StoreError, match="unauthorized"):
        store.add(index, [b'{"_id":"x","_source":{}}'])
    with pytest.raises(StoreError, match="refuses the credentials or the right"):
        store.content(foreign)
    store.delete(foreign)  # to this user there is no such index
    store.close()
    assert foreign in retention.indices()


def test_an_index_that_changes_after_its_archive_stays(retention: Retention, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that comes late, after the archive was made, is not deleted with the index; the index takes records again."""
    old = retention.fill(retention.index_of(91))
    setup_logging(retention.settings, "cleanup")
    delete = ElasticsearchIndices.delete_unchanged

    def late(self: ElasticsearchIndices, index: object, content: object) -> bool:
        retention.ask("POST", f"/{old}/_doc/late", json={"message": "late"})
        return delete(self, index, content)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ElasticsearchIndices, "delete_unchanged", late)
        report = retention.runs.run()
    assert (report.kept, report.deleted, report.failure) == ([old], [], "")
    retention.ask("POST", f"/{old}/_doc/later", json={"message": "later"})

    assert retention.runs.run().deleted == [old]
    assert {"late", "later"} <= retention.archived(old).keys()
