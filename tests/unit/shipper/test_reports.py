"""What the shipper says about itself, and how rarely."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import metrics
from app.shipper.positions import PositionFile, Progress
from app.shipper.reports import QUIET_SECONDS, Ledger, Reporter
from tests.support.records import logging_to, spooled

INDEXED = "shipper_records_indexed_total"


def value(name: str, **labels: str) -> float:
    """A metric's value in this process."""
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Any]:
    """A function that returns what was logged so far."""
    with logging_to(tmp_path / "log"):
        yield lambda: spooled(tmp_path / "log")


def test_a_count_shows_only_when_it_is_on_disk(tmp_path: Path) -> None:
    """So that no counter falls back when the process is killed."""
    before = value(INDEXED)
    ledger = Ledger(PositionFile(tmp_path), Progress())
    ledger.add(Counter({INDEXED: 5}))
    assert value(INDEXED) == before
    ledger.save({"s": 1})
    assert value(INDEXED) == before + 5
    assert PositionFile(tmp_path).load() == Progress({"s": 1}, {INDEXED: 5})


def test_counts_go_on_where_the_last_life_ended(tmp_path: Path) -> None:
    """A new process shows the old sum and adds to it."""
    first = Ledger(PositionFile(tmp_path), Progress())
    first.add(Counter({INDEXED: 5, "shipper_records_dead_total:rejected": 1}))
    first.save({})
    before = value(INDEXED)
    second = Ledger(PositionFile(tmp_path), PositionFile(tmp_path).load())
    assert value(INDEXED) == before + 5
    second.add(Counter({INDEXED: 2}))
    second.save({})
    assert PositionFile(tmp_path).load().counts == {INDEXED: 7, "shipper_records_dead_total:rejected": 1}


def test_a_failed_save_keeps_the_counts_for_the_next(tmp_path: Path) -> None:
    """Nothing is forgotten when the disk is full."""
    folder = tmp_path / "not-yet"
    ledger = Ledger(PositionFile(folder), Progress())
    ledger.add(Counter({INDEXED: 3}))
    with pytest.raises(OSError, match="not-yet"):
        ledger.save({"s": 1})
    folder.mkdir()
    ledger.save({"s": 1})
    assert PositionFile(folder).load().counts == {INDEXED: 3}


def test_trouble_is_told_at_once_and_then_rarely(records: Any) -> None:
    """Its records go into the spool that it ships: a storm would feed itself."""
    now = 1000.0
    reporter = Reporter(clock=lambda: now)
    for attempt in range(1000):
        reporter.retrying("connection", "refused", attempt)
    assert len(records()) == 1
    now += QUIET_SECONDS
    reporter.retrying("connection", "refused", 1001)
    assert [record.get("suppressed") for record in records()] == [None, 999]
    assert {record["event"] for record in records()} == {"shipper.retrying"}


def test_recovery_is_told_once_and_only_after_trouble(records: Any) -> None:
    """A shipper at work writes nothing about it."""
    reporter = Reporter()
    reporter.delivering()
    assert records() == []
    reporter.retrying("timeout", "", 1)
    reporter.delivering()
    reporter.delivering()
    assert [record["event"] for record in records()] == ["shipper.retrying", "shipper.recovered"]


def test_held_shows_in_the_gauge_until_it_is_over(records: Any) -> None:
    """Also when the record about it was left out."""
    reporter = Reporter(clock=lambda: 1000.0)
    for _ in range(2):
        reporter.held("wrong password")
        assert value("shipper_held") == 1
        reporter.delivering()
        assert value("shipper_held") == 0
    assert [record["event"] for record in records()] == ["shipper.held", "shipper.recovered"]
    assert records()[0]["level"] == "ERROR"
