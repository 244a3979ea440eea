"""What the writers of a spool say together: exact, over every end of every process."""

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from app.core.spool import SpoolWriter, list_segments
from app.core.spool_tally import FOLDER, Tally, count_lines, read_totals, writer_file

LINE = b'{"timestamp":"2026-11-22T02:15:04.123456Z","message":"x"}\n'

pytestmark = pytest.mark.req("SHP-08")


def writer(folder: Path, max_bytes: int = 1 << 30) -> SpoolWriter:
    """One with small segments: two lines each."""
    return SpoolWriter(folder, "app", segment_bytes=2 * len(LINE) - 1, max_bytes=max_bytes)


def written(folder: Path) -> int:
    """The total, and what stands in segments that are not in it: as the shipper computes it."""
    totals = read_totals(folder)
    return totals.records + sum(count_lines(folder / str(name)) for name in list_segments(folder) if totals.lacks(name))


def killed(work: Callable[[], object]) -> None:
    """Do it in a process that dies without an orderly end."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(9)
    assert os.waitpid(pid, 0)[1] == 9 << 8


def fold_as(folder: Path, name: str) -> None:
    """What a shipper of this name does at its start."""
    Tally(folder, name).fold()


def test_each_record_counts_once_whatever_segment_it_is_in(tmp_path: Path) -> None:
    """Finished segments by their writer, the one that is being written by its lines; batches by their records."""
    spool = writer(tmp_path)
    for number in range(1, 8):
        assert spool.append(LINE)
        assert written(tmp_path) == number
    assert spool.append(LINE * 5, 5)
    assert written(tmp_path) == 12
    spool.close()
    assert written(tmp_path) == 12


def test_removed_segments_stay_counted(tmp_path: Path) -> None:
    """The writer's word counts for those that it finished, the remover's for the last one of a writer that was killed."""

    def write() -> None:
        spool = writer(tmp_path)
        for _ in range(5):
            spool.append(LINE)

    killed(write)
    shipper = Tally(tmp_path, "shipper-settled.1")
    for name in list_segments(tmp_path):
        shipper.settle(name)
        (tmp_path / str(name)).unlink()
        assert written(tmp_path) == 5
    assert read_totals(tmp_path).records == 5


def test_a_removal_that_was_cut_off_counts_once(tmp_path: Path) -> None:
    """Killed between counting a segment and removing it; the next one counts it no second time."""

    def write() -> None:
        writer(tmp_path).append(LINE * 3, 3)

    killed(write)
    (name,) = list_segments(tmp_path)
    killed(lambda: Tally(tmp_path, "shipper-settled.1").settle(name))
    assert written(tmp_path) == 3
    Tally(tmp_path, "shipper-settled.2").settle(name)
    assert written(tmp_path) == 3
    (tmp_path / str(name)).unlink()
    assert written(tmp_path) == 3


def test_the_files_of_the_dead_are_folded_into_one(tmp_path: Path) -> None:
    """Thousands of short processes leave one number, not thousands of files; the living and those with segments keep theirs."""
    alive = writer(tmp_path)
    alive.append(LINE)
    for _ in range(20):
        killed(lambda: writer(tmp_path).append(LINE))
    shipper = Tally(tmp_path, "shipper-settled.1")
    for name in list_segments(tmp_path)[1:-1]:
        shipper.settle(name)
        (tmp_path / str(name)).unlink()
    shipper.fold()
    left = {path.name for path in (tmp_path / FOLDER).iterdir()}
    assert left == {"shipper-settled.1", *map(writer_file, list_segments(tmp_path))}
    assert written(tmp_path) == 21


def test_a_fold_that_was_cut_off_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the numbers were taken over and before the file went, twice."""
    killed(lambda: writer(tmp_path).append(LINE))
    (name,) = list_segments(tmp_path)
    killed(lambda: Tally(tmp_path, "shipper-settled.1").settle(name))
    (tmp_path / str(name)).unlink()
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_options: os._exit(9))
    for name_of_shipper in ("shipper-settled.2", "shipper-settled.3"):
        killed(partial(fold_as, tmp_path, name_of_shipper))
        assert written(tmp_path) == 1
    monkeypatch.undo()
    Tally(tmp_path, "shipper-settled.4").fold()
    assert written(tmp_path) == 1
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["shipper-settled.4"]


def test_a_dropped_segment_is_counted_as_written_and_as_dropped(tmp_path: Path) -> None:
    """So a full spool leaves no difference."""
    spool = writer(tmp_path, max_bytes=3 * len(LINE))
    for _ in range(20):
        spool.append(LINE)
    spool.close()
    totals = read_totals(tmp_path)
    left = sum(count_lines(tmp_path / str(name)) for name in list_segments(tmp_path))
    assert totals.dropped > 0
    assert written(tmp_path) == 20 == totals.dropped + left


def test_without_room_for_a_file_the_removers_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was full at the start costs no record in the books, also when there is room later."""

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        spool = writer(tmp_path)
        spool.append(LINE)
    spool.append(LINE)
    spool.append(LINE)
    spool.close()
    shipper = Tally(tmp_path, "shipper-settled.1")
    for name in list_segments(tmp_path):
        shipper.settle(name)
        (tmp_path / str(name)).unlink()
    assert read_totals(tmp_path).records == 3


def test_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    """It stops nobody, and the files beside it count."""
    spool = writer(tmp_path)
    for _ in range(4):
        spool.append(LINE)
    spool.close()
    (tmp_path / FOLDER / "app.odd").write_bytes(b"\0" * 256)
    (tmp_path / FOLDER / "app.empty").touch()
    assert read_totals(tmp_path).records == 4
