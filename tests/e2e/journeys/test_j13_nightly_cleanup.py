"""J-13: the night's cleanup archives, proves and deletes what is older than 90 days, and says so; a failing archive stops it, loudly."""

import datetime as dt
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.stack.components import COMPONENTS
from app.stack.environment import environment
from tests.support.processes import CHECKOUT
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

NIGHT_SECONDS = 90
"""The process looks at the clock every ten seconds."""

ALERT_SECONDS = 120
STATE = "/nobet-cleanup/_doc/state"


@pytest.fixture
def elasticsearch(world: RunningStack) -> Iterator[httpx.Client]:
    """Elasticsearch, as the administrator."""
    with httpx.Client(base_url=world.url("elasticsearch"), auth=world.sign_in(), timeout=60) as client:
        yield client


def day(days_ago: int) -> str:
    """The ending of the index of so many days ago."""
    return f"{dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days_ago):%Y.%m.%d}"


def fill(elasticsearch: httpx.Client, index: str, count: int) -> dict[str, Any]:
    """An index with some records; gives them back by id."""
    records = {f"j13-{uuid.uuid4().hex}": {"timestamp": "2026-01-01T00:00:00.000000Z", "message": f"old {n}"} for n in range(count)}
    lines = [json.dumps(line) for ident, record in records.items() for line in ({"create": {"_id": ident}}, record)]
    answer = elasticsearch.post(
        f"/{index}/_bulk?refresh=true", content="\n".join(lines) + "\n", headers={"content-type": "application/x-ndjson"}
    )
    assert not answer.raise_for_status().json()["errors"]
    return records


def records_of(elasticsearch: httpx.Client, index: str) -> dict[str, Any]:
    """The records of an index, by id."""
    answer = elasticsearch.get(f"/{index}/_search", params={"size": 1000}).raise_for_status()
    return {hit["_id"]: hit["_source"] for hit in answer.json()["hits"]["hits"]}


def exists(elasticsearch: httpx.Client, index: str) -> bool:
    """Whether there is such an index."""
    return elasticsearch.head(f"/{index}").status_code == 200


def state(elasticsearch: httpx.Client) -> dict[str, Any]:
    """What the cleanup remembers; empty before its first run."""
    found: dict[str, Any] = elasticsearch.get(STATE).json().get("_source", {})
    return found


def let_night_come(elasticsearch: httpx.Client) -> None:
    """Forget that this night's cleanup has run, as if a day had passed."""
    wait_until("the first cleanup of this stack", lambda: state(elasticsearch).get("night"), NIGHT_SECONDS)
    elasticsearch.post("/nobet-cleanup/_update/state?refresh=true", json={"doc": {"night": "2000-01-01"}}).raise_for_status()


def nobet(world: RunningStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    command = [sys.executable, "-m", "app.cli", *arguments, "--mode", "native"]
    return subprocess.run(command, env=world.environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)


def said(stores: Stores, event: str, index: str) -> list[dict[str, Any]]:
    """The records of an event that are about an index."""
    about = {"bool": {"should": [{"term": {"index_name": index}}, {"term": {"extra.indices": index}}, {"term": {"extra.expired": index}}]}}
    return stores.logs({"bool": {"filter": [{"term": {"event": event}}, about]}}, "logs-nobet-*")


@pytest.mark.req("RET-01", "RET-02", "RET-03", "RET-04", "RET-05", "BAK-01", "BAK-02", "BAK-03", "COR-22", "J-13")
def test_the_night_archives_and_deletes_what_is_old(world: RunningStack, stores: Stores, elasticsearch: httpx.Client) -> None:
    """The old indices are gone, the young one stays, archives come back whole, today's index tells it under one id, no alert."""
    old = [f"logs-nobet-{day(91)}", f"events-nobet-{day(200)}"]
    young, today = f"logs-nobet-{day(89)}", day(0)
    copy = f"logs-j13-{uuid.uuid4().hex[:8]}"
    runs = 'sum(cleanup_runs_total{outcome="success"})'
    try:
        records = {index: fill(elasticsearch, index, 40) for index in old}
        fill(elasticsearch, young, 3)
        before = wait_until("the cleanup's metrics", lambda: stores.query(runs), 60)
        let_night_come(elasticsearch)

        wait_until("the old indices being gone", lambda: not any(exists(elasticsearch, index) for index in old), NIGHT_SECONDS)
        assert exists(elasticsearch, young)

        done = wait_until("the final record", lambda: said(stores, "cleanup.completed", old[0]), 60)[-1]
        assert set(old) <= set(done["extra"]["indices"])
        assert done["count"] == len(done["extra"]["indices"])
        assert done["duration_ms"] > 0
        assert done["_index"] in {f"logs-nobet-{today}", f"logs-nobet-{day(0)}"}  # midnight may have passed
        told = stores.of_request(done["request_id"])
        events = [record["event"] for record in told]
        assert events[0] == "cleanup.started"
        assert events[-1] == "cleanup.completed"
        assert {record["index_name"] for record in told if record["event"] == "cleanup.deleted"} >= set(old)
        wait_until("the night being noted", lambda: state(elasticsearch)["night"] > "2000-01-01" and not state(elasticsearch)["holder"], 30)

        for index in old:
            place = said(stores, "cleanup.archived", index)[-1]["extra"]["location"]  # a kept stack has older ones of the same name
            restored = nobet(world, "archive", "restore", Path(place).name.removesuffix(".ndjson.zst.age"), "--as", copy)
            assert restored.returncode == 0, restored.stderr
            assert records_of(elasticsearch, copy) == records[index]
            elasticsearch.delete(f"/{copy}").raise_for_status()

        wait_until("the run being counted", lambda: stores.value(runs) >= float(before[0]["value"][1]) + 1, 60)
        assert stores.query('ALERTS{alertname=~"LogCleanup.*", alertstate="firing"}') == []
    finally:
        for index in (young, copy, *old):
            elasticsearch.delete(f"/{index}")


@pytest.mark.req("RET-06", "ALR-21", "J-13")
def test_a_failing_archive_deletes_nothing_and_somebody_is_told(world: RunningStack, stores: Stores, elasticsearch: httpx.Client) -> None:
    """FAULTS 27 on the running stack: the index stays, ERROR, alert, mail; mended and run by hand, the alert ends."""
    old = f"logs-nobet-{day(92)}"
    folder = world.declared.paths.data / "cleanup"
    assert environment(world.declared, COMPONENTS["cleanup"], None)["LOG_ARCHIVE_DIR"] == str(folder)
    aside = folder.with_name("cleanup.aside")
    wait_until("the first cleanup of this stack", lambda: state(elasticsearch).get("night"), NIGHT_SECONDS)
    mails = len(stores.mails("LogCleanupFailed"))
    try:
        records = fill(elasticsearch, old, 5)
        folder.rename(aside)
        folder.write_text("no folder")
        let_night_come(elasticsearch)

        failed = wait_until("the failure being told", lambda: said(stores, "cleanup.failed", old), NIGHT_SECONDS)[-1]
        assert (failed["level"], failed["reason"]) == ("ERROR", "archive")
        assert records_of(elasticsearch, old) == records
        wait_until("the alert", lambda: stores.query('ALERTS{alertname="LogCleanupFailed", alertstate="firing"}'), ALERT_SECONDS)
        wait_until("a mail about it", lambda: len(stores.mails("LogCleanupFailed")) > mails, ALERT_SECONDS)
    finally:
        if aside.exists():
            folder.unlink(missing_ok=True)
            aside.rename(folder)
        by_hand = nobet(world, "cleanup")
        elasticsearch.delete(f"/{old}")
    assert by_hand.returncode == 0, by_hand.stderr
    assert old in by_hand.stdout
    firing = 'ALERTS{alertname="LogCleanupFailed", alertstate="firing"}'
    wait_until("the alert's end", lambda: stores.query(firing) == [], ALERT_SECONDS)
