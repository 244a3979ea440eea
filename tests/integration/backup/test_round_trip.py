"""A real stack is saved while it works, and comes back in an empty one: same counts, same content, same secrets."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.stack.backup.shelf import MANIFEST
from tests.support.backups import DAYS, PER_DAY, BackedUp, filled_stack, sealed_files
from tests.support.servers import Postgres
from tests.support.stack import new_stack
from tests.support.waiting import wait_until

BUSY = "logs-nobet-2026.11.22"


@pytest.fixture(scope="module")
def source() -> Iterator[BackedUp]:
    """The stack that is saved."""
    owner = filled_stack()
    yield owner
    owner.stack.close()


@pytest.fixture(scope="module")
def shelf(source: BackedUp) -> Path:
    """The folder of backups."""
    return source.stack.folder / "backups"


@pytest.fixture(scope="module")
def quiet(source: BackedUp) -> dict[str, Any]:
    """What the stores held before the backup, without what is written meanwhile."""
    now = time.time()
    return {"indices": source.indices(), "rows": source.rows(), "errors": source.errors(), "at": now}


@pytest.fixture(scope="module")
def backup(source: BackedUp, shelf: Path, quiet: dict[str, Any]) -> Path:
    """A backup that was made while documents and rows kept coming."""
    assert quiet["rows"]
    stop, written = threading.Event(), [0]

    def work() -> None:
        postgres = Postgres(source.stack)
        while not stop.is_set():
            source.add_documents(BUSY, written[0], 50)
            postgres.ask("INSERT INTO users_of_the_load DEFAULT VALUES RETURNING 1")
            written[0] += 50

    source.postgres.ask("CREATE TABLE users_of_the_load (id serial)")
    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_until("the load being under way", lambda: written[0] > 0, 30)
        done = source.nobet("backup", "--to", str(shelf))
    finally:
        stop.set()
        thread.join()
    assert done.returncode == 0, done.stderr
    (path,) = sorted(shelf.glob("nobet-*"))
    assert f"nobet restore {path}" in done.stdout
    return path


@pytest.fixture(scope="module")
def manifest(backup: Path) -> dict[str, Any]:
    """What the backup says that it holds."""
    content: dict[str, Any] = json.loads((backup / MANIFEST).read_text())
    return content


@pytest.fixture(scope="module")
def restored(source: BackedUp, backup: Path) -> Iterator[BackedUp]:
    """A second, empty stack with the backup in it, restored after a first try was killed."""
    owner = BackedUp(new_stack())
    paths = owner.stack.declared.paths
    key = str(source.stack.declared.paths.env_file)
    command = owner.command("restore", str(backup), "--key-file", key, "--mode", "native")
    try:
        first = subprocess.Popen(command, env=owner.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("the restore having begun", paths.restoring.exists, 120)
        first.kill()
        first.wait()
        refused = owner.nobet("up", "redis", "--mode", "native")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("A restore of this stack was interrupted")
        done = owner.nobet("restore", str(backup), "--key-file", key, "--mode", "native")
        assert done.returncode == 0, done.stderr
        assert "every count is the backup's" in done.stdout
        owner.stack.reopen()
        yield owner
    finally:
        owner.stack.close()


@pytest.mark.req("BAK-03")
def test_every_store_holds_what_it_held(restored: BackedUp, quiet: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Documents per index with their checksums and mappings, rows of every table, incidents among them: the same as before."""
    indices, rows = restored.indices(), restored.rows()
    assert {name: found for name, found in indices.items() if name != BUSY and name in quiet["indices"]} == quiet["indices"]
    assert {name: found for name, found in rows.items() if name in quiet["rows"]} == quiet["rows"]
    assert rows["oncall_incidents"].startswith("1:")
    assert restored.errors() == quiet["errors"]
    token = restored.stack.secret("ERROR_TRACKER_TOKEN")
    assert any(token in line for line in restored.errors())
    assert [indices[f"logs-nobet-{day}"][0] for day in DAYS] == [PER_DAY, PER_DAY]
    saved = {part["name"]: part["counts"]["documents"] for part in manifest["parts"] if part["store"] == "elasticsearch"}
    assert {name: found[0] for name, found in indices.items()} == saved
    (counts,) = [part["counts"] for part in manifest["parts"] if part["store"] == "postgres"]
    assert {f"public.{name}": int(found.split(":")[0]) for name, found in rows.items()} == counts


@pytest.mark.req("BAK-03")
def test_prometheus_knows_the_same_past(restored: BackedUp, source: BackedUp, quiet: dict[str, Any]) -> None:
    """Series and samples of before the backup are found again, to the last one."""
    restored.stack.need("prometheus")
    expected = source.samples(quiet["at"])  # asked now, because a scrape that began before that moment may have ended after it
    assert "" not in expected.values()
    assert restored.samples(quiet["at"]) == expected


@pytest.mark.req("BAK-03")
def test_old_secrets_still_work(restored: BackedUp, source: BackedUp) -> None:
    """The passwords and tokens of the old stack open the new one: database, Elasticsearch, error tracker."""
    for name in ("POSTGRES_PASSWORD", "ELASTICSEARCH_ADMIN_PASSWORD", "ERROR_TRACKER_TOKEN", "LOG_ARCHIVE_IDENTITY"):
        assert restored.stack.secret(name) == source.stack.secret(name)
    with Elasticsearch(restored.stack.url("elasticsearch"), basic_auth=source.stack.sign_in()) as client:
        assert client.count(index=f"logs-nobet-{DAYS[0]}")["count"] == PER_DAY


def test_what_was_not_delivered_yet_is_in_the_spool_again(restored: BackedUp) -> None:
    """The restored shipper goes on where the old one stopped."""
    assert (restored.stack.spool / "undelivered.txt").read_text() == "kept as it is\n"


def test_the_restored_stack_has_data_and_is_left_alone(restored: BackedUp, source: BackedUp, backup: Path) -> None:
    """A second restore over it is refused with a sentence that names what is there; nothing is stopped."""
    refused = restored.nobet("restore", str(backup), "--mode", "native")
    assert refused.returncode == 1
    assert "This stack has data already: PostgreSQL, Elasticsearch" in refused.stderr
    assert restored.stack.is_ready("elasticsearch")


def test_a_second_backup_reads_only_what_changed(source: BackedUp, shelf: Path, backup: Path) -> None:
    """Finished days are shared with the backup before; both are whole, and `list` and `verify` say so."""
    done = source.nobet("backup", "--to", str(shelf))
    assert done.returncode == 0, done.stderr
    (second,) = set(shelf.glob("nobet-*")) - {backup}
    for day in DAYS:
        name = f"elasticsearch/logs-nobet-{day}.zst.age"
        assert (second / name).samefile(backup / name)
    assert len(sealed_files(second)) >= len(sealed_files(backup))
    assert source.nobet("backup", "list", "--to", str(shelf)).stdout.count("nobet-2") == 2
    verified = source.nobet("backup", "verify", backup.name, second.name, "--to", str(shelf))
    assert (verified.returncode, verified.stdout.count("is intact")) == (0, 2)


@pytest.mark.req("BAK-02")
def test_secrets_and_content_are_in_no_file_in_the_clear(source: BackedUp, backup: Path) -> None:
    """Neither a password nor a word of a record is in any file of the backup."""
    for path in (*sealed_files(backup), backup / MANIFEST):
        content = path.read_bytes()
        for word in (source.stack.secret("POSTGRES_PASSWORD").encode(), "ışık".encode()):
            assert word not in content, path


def test_a_store_that_is_away_is_named_and_there_is_no_backup(source: BackedUp, shelf: Path, backup: Path) -> None:
    """Without PostgreSQL nothing is made: one sentence says what to start, earlier backups stay."""
    before = sorted(shelf.iterdir())
    source.stack.stop("postgres")
    try:
        done = source.nobet("backup", "--to", str(shelf))
    finally:
        source.stack.start("postgres")
    assert done.returncode == 1
    assert done.stderr.endswith("Start it and try again: nobet up postgres\n")
    assert "Traceback" not in done.stderr
    assert sorted(shelf.iterdir()) == before


@pytest.mark.req("ALR-21")
def test_how_a_backup_went_is_noted(source: BackedUp, backup: Path) -> None:
    """The note that the cleanup process turns into metrics has the success, and then the failure of the test before."""
    with source.search as client:
        note = client.get("/nobet-cleanup/_doc/backup").raise_for_status().json()["_source"]
    assert note["last_success_at"] == pytest.approx(time.time(), abs=3600)
    assert note["size"] > 0
    assert backup.is_dir()
