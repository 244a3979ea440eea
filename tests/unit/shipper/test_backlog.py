"""The backlog's figures: right to the record, whatever is being read."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.shipper import backlog as backlog_module
from app.shipper.backlog import BacklogMeter
from app.shipper.segments import SegmentQueue
from tests.support.spools import record, write_segment


def test_an_empty_spool_has_no_backlog(tmp_path: Path) -> None:
    """All zeros, age included."""
    queue = SegmentQueue(tmp_path, {})
    queue.scan()
    found = BacklogMeter(tmp_path).measure(queue)
    assert (found.size, found.records, found.segments, found.oldest_seconds, found.exact) == (0, 0, 0, 0.0, True)


@given(steps=st.lists(st.integers(0, 30), max_size=8))
def test_records_are_counted_while_they_come_and_go(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    """At each step: what was written less what was delivered."""
    folder = tmp_path_factory.mktemp("spool")
    write_segment(folder, "w", 1, [record(number, padding=number % 7) for number in range(30)])
    write_segment(folder, "w", 2, [record(number) for number in range(11)])
    queue = SegmentQueue(folder, {})
    queue.scan()
    meter = BacklogMeter(folder)
    (segment,) = queue.in_turn()
    content = segment.bytes_at(0, 1 << 20)
    lines = content.split(b"\n")
    for step in sorted(steps):
        segment.delivered = sum(len(line) + 1 for line in lines[:step])
        found = meter.measure(queue)
        assert (found.records, found.segments) == (41 - step, 2)
        assert found.exact
    queue.close()


def test_a_huge_backlog_is_estimated_instead_of_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of a look the figure comes from the mean length, and says that it does."""
    monkeypatch.setattr(backlog_module, "COUNT_BYTES", 10_000)
    write_segment(tmp_path, "w", 1, [record(number % 10) for number in range(5000)])
    queue = SegmentQueue(tmp_path, {})
    queue.scan()
    found = BacklogMeter(tmp_path).measure(queue)
    assert not found.exact
    assert 4900 < found.records < 5100


def test_the_age_is_that_of_the_oldest_undelivered_record(tmp_path: Path) -> None:
    """It falls when the old ones are delivered, and is 0 when none is left."""
    now = dt.datetime.now(dt.UTC)
    stamps = [(now - dt.timedelta(seconds=age)).isoformat(timespec="microseconds").replace("+00:00", "Z") for age in (600, 60)]
    lines = [record(1, stamp=stamp) for stamp in stamps]
    write_segment(tmp_path, "w", 1, lines)
    queue = SegmentQueue(tmp_path, {})
    queue.scan()
    (segment,) = queue.in_turn()
    meter = BacklogMeter(tmp_path)
    assert 590 < meter.measure(queue).oldest_seconds < 700
    segment.delivered = len(lines[0]) + 1
    assert 50 < meter.measure(queue).oldest_seconds < 160
    segment.delivered = segment.size()
    assert meter.measure(queue).oldest_seconds == 0
