"""Finding segments, telling finished ones from active ones, taking turns."""

import os
from pathlib import Path

import pytest

from app.core.spool import SegmentName, SpoolWriter, drop_beyond
from app.core.spool_files import take_mark
from app.shipper.segments import SegmentQueue
from tests.support.spools import held, record, write_segment


def queue_of(folder: Path, positions: dict[str, int] | None = None) -> SegmentQueue:
    """A queue that has looked at the folder once."""
    queue = SegmentQueue(folder, positions or {})
    queue.scan()
    return queue


def test_a_segment_is_finished_only_when_its_writer_let_go(tmp_path: Path) -> None:
    """While somebody holds the lock, more may come; afterwards never again."""
    name = write_segment(tmp_path, "w1", 1, [record(1)])
    with held(tmp_path / str(name)):
        queue = queue_of(tmp_path)
        (segment,) = queue.in_turn()
        assert not segment.try_finish()
    assert segment.try_finish()


def test_a_segment_that_is_read_is_not_dropped_by_the_bound(tmp_path: Path) -> None:
    """The lock on a finished segment keeps the writers' bound away from it."""
    write_segment(tmp_path, "w1", 1, [record(1)])
    queue = queue_of(tmp_path)
    assert [segment.finished for segment in queue.in_turn()] == [True]
    assert list(drop_beyond(tmp_path, 0)) == []
    queue.close()
    assert len(list(drop_beyond(tmp_path, 0))) == 1


def test_a_segment_that_was_dropped_leaves_the_queue(tmp_path: Path) -> None:
    """What the bound dropped and counted is forgotten, and the writer's next segment comes up."""
    first = write_segment(tmp_path, "w1", 1, [record(1)])
    path = tmp_path / str(first)
    with held(path):
        queue = queue_of(tmp_path)
        assert [segment.name for segment in queue.in_turn()] == [first]
        path.unlink()
    second = write_segment(tmp_path, "w1", 2, [record(2)])
    queue.scan()
    assert [segment.name for segment in queue.in_turn()] == [second]


def test_a_newborn_empty_segment_is_left_to_its_writer(tmp_path: Path) -> None:
    """Between making a file and locking it, the shipper does not snatch it away."""
    (tmp_path / str(write_segment(tmp_path, "w1", 1, []))).touch()
    (segment,) = queue_of(tmp_path).in_turn()
    assert not segment.try_finish()


def test_writers_take_turns_and_each_keeps_its_order(tmp_path: Path) -> None:
    """Every writer's oldest segment first, and who was read goes to the end of the line."""
    for writer in ("a", "b", "c"):
        for sequence in (1, 2):
            write_segment(tmp_path, writer, sequence, [record(1)])
    queue = queue_of(tmp_path)
    first = next(queue.in_turn())
    assert (first.name.writer, first.name.sequence) == ("a", 1)
    assert [segment.name.writer for segment in queue.in_turn()] == ["b", "c", "a"]
    following = queue.finish_reading(first)
    assert following is not None
    assert following.name == SegmentName("a", 2, "app")


def test_a_writer_is_followed_while_it_writes(tmp_path: Path) -> None:
    """Lines of an active segment are seen as soon as they are written."""
    writer = SpoolWriter(tmp_path, "app", segment_bytes=1 << 20, max_bytes=1 << 30)
    writer.append(record(1) + b"\n")
    (segment,) = queue_of(tmp_path).in_turn()
    before = segment.bytes_at(0, 10_000)
    writer.append(record(2) + b"\n")
    assert segment.bytes_at(len(before), 10_000) == record(2) + b"\n"
    assert not segment.try_finish()
    writer.close()
    assert segment.try_finish()


@pytest.mark.parametrize("position", [3, 10_000])
def test_a_position_inside_a_line_is_not_believed(tmp_path: Path, position: int) -> None:
    """A position that can't be right starts the segment over, and says so once."""
    name = write_segment(tmp_path, "w1", 1, [record(1), record(2)])
    told: list[SegmentName] = []
    queue = SegmentQueue(tmp_path, {str(name): position}, told.append)
    queue.scan()
    (segment,) = queue.in_turn()
    assert (segment.read, told) == (0, [name])


def test_positions_outlive_segments_that_wait(tmp_path: Path) -> None:
    """A saved position is kept for a segment that nobody has opened yet, and dropped with the segment."""
    name = write_segment(tmp_path, "w1", 1, [record(1), record(2)])
    size = (tmp_path / str(name)).stat().st_size
    queue = queue_of(tmp_path, {str(name): size, "app.gone.00000001.ndjson": 5})
    assert queue.positions() == {str(name): size}
    assert [segment.delivered for segment in queue.in_turn()] == [size]
    assert queue.positions() == {str(name): size}


def test_a_segment_that_is_just_being_dropped_is_left_alone_and_its_position_kept(tmp_path: Path) -> None:
    """While the bound counts what it will drop, nothing of the segment is read; should it stay, reading goes on where it was."""
    name = write_segment(tmp_path, "w1", 1, [record(1), record(2)])
    dropping = os.open(tmp_path / str(name), os.O_RDWR)
    assert take_mark(dropping, alone=True)
    queue = queue_of(tmp_path, {str(name): len(record(1)) + 1})
    assert list(queue.in_turn()) == []
    os.close(dropping)
    queue.scan()
    assert [segment.read for segment in queue.in_turn()] == [len(record(1)) + 1]


def test_a_segment_that_is_followed_while_it_is_written_is_not_dropped(tmp_path: Path) -> None:
    """Between its writer letting go and the next look, the bound does not take it from under the shipper."""
    name = write_segment(tmp_path, "w1", 1, [record(1)])
    with held(tmp_path / str(name)):
        queue = queue_of(tmp_path)
        assert len(list(queue.in_turn())) == 1
    assert list(drop_beyond(tmp_path, 0)) == []
    queue.close()
