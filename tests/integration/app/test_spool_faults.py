"""FAULTS 7: a spool that is full or can't be written costs no request anything, and no record without a count."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.spool import list_segments
from tests.support.backend import sample
from tests.support.disks import set_read_only, small_disk
from tests.support.load import Load
from tests.support.processes import Service
from tests.support.records import spooled
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

SOON = 60


def dropped(app: Service, reason: str) -> int:
    """How many records the app says that it could not write to the spool."""
    return int(sample(app.get("/metrics").text, "log_records_dropped_total", reason=reason))


def on_standard_error(app: Service) -> list[dict[str, Any]]:
    """The records that went to standard error. Fails on a line that is no record."""
    return [json.loads(line) for line in app.output.read_text(encoding="utf-8").splitlines() if line.startswith('{"timestamp"')]


def emptied(folder: Path) -> list[dict[str, Any]]:
    """What the finished segments held; they are gone afterwards, as if they were delivered."""
    found = []
    for name in list_segments(folder)[:-1]:
        found += [json.loads(line) for line in (folder / str(name)).read_bytes().splitlines()]
        (folder / str(name)).unlink()
    return found


def owed(load: Load, records: list[dict[str, Any]]) -> list[str]:
    """Requests that were answered and don't have exactly one last record somewhere."""
    ends = Counter(record["request_id"] for record in records if record.get("event") == "http.request.completed")
    return [ident for ident in load.answered if ends[ident] != 1]


@pytest.mark.req("LOG-25", "SHP-07")
def test_a_full_disk_costs_no_request(start: StartService, tmp_path: Path) -> None:
    """A disk of 1 MiB fills up: all answers stay 200, each record is in the spool or on standard error, counted, and it recovers."""
    spool = tmp_path / "disk"
    with small_disk(spool, "1m"):
        app = start("app", SPOOL_DIR=str(spool), SPOOL_SEGMENT_BYTES="100000", LOG_STDOUT="false", LOG_LEVEL="INFO")
        with Load(app.url, "full") as load:
            wait_until("the disk is full", lambda: dropped(app, "write_failed") > 50, SOON)
            kept = emptied(spool)
            wait_until(
                "the spool is written again", lambda: any(record.get("event") == "spool.recovered" for record in spooled(spool)), SOON
            )
        assert set(load.statuses) == {200}
        app.stop()
        told = on_standard_error(app)
        records = [*kept, *spooled(spool), *told]
        assert owed(load, records) == []
        assert [record for record in told if record.get("event") == "spool.failed"], "said where it can still be seen"
        assert {json.dumps(record) for record in told}.isdisjoint(json.dumps(record) for record in kept)


@pytest.mark.req("LOG-25")
def test_a_disk_that_is_read_only_costs_no_request(start: StartService, tmp_path: Path) -> None:
    """The spool can't even be opened: 200 all the same, records on standard error, and into the spool once it is mended."""
    spool = tmp_path / "disk"
    with small_disk(spool, "8m"):
        set_read_only(spool, read_only=True)
        app = start("app", SPOOL_DIR=str(spool / "spool"), LOG_STDOUT="false", LOG_LEVEL="INFO")
        with Load(app.url, "ro") as load:
            wait_until("records go elsewhere", lambda: dropped(app, "write_failed") > 50, SOON)
            set_read_only(spool, read_only=False)
            wait_until("the spool is written", lambda: spooled(spool / "spool"), SOON)
            enough = len(load.answered) + 50
            wait_until("requests go on", lambda: len(load.answered) > enough, SOON)
        assert set(load.statuses) == {200}
        app.stop()
        assert owed(load, [*spooled(spool / "spool"), *on_standard_error(app)]) == []


@pytest.mark.req("LOG-25")
def test_beyond_its_bound_the_spool_drops_the_oldest_and_counts_it(start: StartService) -> None:
    """SPOOL_MAX_BYTES: what is there plus what was counted as dropped is what was written; the newest records stay."""
    app = start("app", SPOOL_SEGMENT_BYTES="20000", SPOOL_MAX_BYTES="100000", LOG_STDOUT="false", LOG_LEVEL="INFO")
    with Load(app.url, "bound") as load:
        wait_until("segments were dropped", lambda: dropped(app, "spool_full") > 500, SOON)
    assert set(load.statuses) == {200}

    def balance() -> tuple[int, int]:
        text = app.get("/metrics").text
        levels = ("info", "warning", "error", "critical")
        emitted = sum(int(sample(text, "log_records_emitted_total", log_level=level)) for level in levels)
        return emitted, len(spooled(app.spool)) + int(sample(text, "log_records_dropped_total", reason="spool_full"))

    def is_even() -> bool:
        emitted, found = balance()
        return emitted == found

    wait_until("emitted equals what is there and what was dropped", is_even, SOON)
    newest = {record.get("request_id") for record in spooled(app.spool)}
    assert load.answered[-1] in newest
    assert load.answered[0] not in newest
