"""The backlog's figures: right to the record, whatever is being read."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.shipper import backlog as backlog_module
from app.shipper.backlog import BacklogMeter
from app.shipper.batch import BatchBuilder
from app.shipper.segments import SegmentQueue
from tests.support.spools import held, record, write_segment


def test_an_empty_spool_has_no_backlog(tmp_path: Path) -> None:
    """All zeros, age included."""
    queue = SegmentQueue(tmp_path, {})
    queue.scan()
    found = BacklogMeter(tmp_path).measure(queue)
    assert (found.size, found.records, found.segments, found.oldest_seconds, found.exact) == (0, 0, 0, 0.0, True)


@settings(deadline=None)
@given(docs=st.integers(1, 20), rounds=st.integers(0, 6))
def test_records_are_counted_while_they_come_and_go(tmp_path_factory: pytest.TempPathFactory, docs: int, rounds: int) -> None:
    """Read or not, under way or not: what was written less what was delivered."""
    folder = tmp_path_factory.mktemp("spool")
    write_segment(folder, "w", 1, [record(number, padding=number % 7) for number in range(30)], tail=b"torn")
    write_segment(folder, "w", 2, [*[record(number) for number in range(9)], b"garbage", b""])
    queue = SegmentQueue(folder, {})
    queue.scan()
    meter = BacklogMeter(folder)
    builder = BatchBuilder("logs-t", most_docs=docs, most_bytes=1 << 20)
    assert meter.measure(queue).records == 41
    left = 41
    for _ in range(rounds):
        batch, _ = builder.build(queue)
        assert meter.measure(queue).records == left
        for span in batch.spans:
            span.segment.delivered = span.end
            span.segment.lines_under_way -= span.lines
            left -= span.lines
        found = meter.measure(queue)
        assert (found.records, found.exact) == (left, True)
    queue.close()


def test_new_lines_of_an_active_segment_are_added(tmp_path: Path) -> None:
    """Counted once each, as they come."""
    name = write_segment(tmp_path, "w", 1, [record(1)])
    with held(tmp_path / str(name)):
        queue = SegmentQueue(tmp_path, {})
        queue.scan()
        meter = BacklogMeter(tmp_path)
        for expected in range(1, 5):
            assert meter.measure(queue).records == expected
            with (tmp_path / str(name)).open("ab") as file:
                file.write(record(2) + b"\n")
        queue.close()


def test_a_huge_backlog_is_estimated_instead_of_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of a look the figure comes from the size, and says that it does."""
    monkeypatch.setattr(backlog_module, "COUNT_BYTES", 10_000)
    write_segment(tmp_path, "w", 1, [record(number % 10, padding=500 - len(record(0)) - 1) for number in range(5000)])
    queue = SegmentQueue(tmp_path, {})
    queue.scan()
    found = BacklogMeter(tmp_path).measure(queue)
    assert not found.exact
    assert found.records == 5000


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
