"""The invariants at the top of app/core/spool.py, each tried to break."""

import fcntl
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core import spool
from app.core.spool import EVENTS_STREAM, FsyncPolicy, SegmentName, SpoolWriter, drop_beyond, list_segments
from app.core.spool_files import take_mark
from app.core.spool_positions import FILE_NAME, STATE_FOLDER
from app.shipper.positions import PositionFile, Progress
from tests.support.waiting import wait_until

RECORD = b'{"timestamp":"2026-11-22T02:15:04.123456Z","message":"%06d"}\n'


def make(folder: Path, segment_bytes: int = 1000) -> SpoolWriter:
    """A writer with small segments."""
    return SpoolWriter(folder, "app", segment_bytes=segment_bytes, max_bytes=1 << 30)


def lines(folder: Path) -> list[bytes]:
    """All lines of a folder in order of writing."""
    return b"".join((folder / str(name)).read_bytes() for name in list_segments(folder)).splitlines(keepends=True)


def test_segment_names_say_what_they_are_and_sort_by_age() -> None:
    """A name parses into its parts and back; other files are no segments."""
    name = SegmentName("18a-1f", 12, "app")
    assert SegmentName.parse(str(name)) == name
    assert SegmentName.parse("notes.txt") is None
    assert SegmentName.parse("app.w.xx.ndjson") is None
    events = SegmentName("18a-1f", 12, "app", EVENTS_STREAM)
    assert str(events) == "app.18a-1f.00000012.events.ndjson"
    assert SegmentName.parse(str(events)) == events
    for odd in ("app.w.00000012.other.ndjson", "app.w.00000012..ndjson", "app.w.00000012.events.events.ndjson", "app.w.events.ndjson"):
        assert SegmentName.parse(odd) is None
    assert min(SegmentName("b", 1, "app"), SegmentName("a", 10, "app"), SegmentName("a", 9, "app")).sequence == 9


@pytest.mark.req("LOG-25", "ROT-01")
def test_records_rotate_through_segments_without_loss_or_doubling(tmp_path: Path) -> None:
    """Many more records than fit one segment: all there, once, in order, in segments of bounded size."""
    writer = make(tmp_path)
    assert all(writer.append(RECORD % number) for number in range(500))
    writer.close()
    assert lines(tmp_path) == [RECORD % number for number in range(500)]
    assert len(list_segments(tmp_path)) > 10
    assert all((tmp_path / str(name)).stat().st_size <= 1000 + len(RECORD % 0) for name in list_segments(tmp_path))


def test_the_active_segment_is_locked_and_the_finished_ones_are_not(tmp_path: Path) -> None:
    """A reader can tell a segment that will grow from one that won't."""
    writer = make(tmp_path, segment_bytes=100)
    for number in range(4):
        writer.append(RECORD % number)
    names = list_segments(tmp_path)

    def locked() -> list[SegmentName]:
        found = []
        for name in names:
            with (tmp_path / str(name)).open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    found.append(name)
        return found

    wait_until("only the last is locked", lambda: locked() == [names[-1]])
    writer.close()


@pytest.mark.req("LOG-25")
def test_kill_nine_loses_no_written_record(tmp_path: Path) -> None:
    """What `append` returned True for is in the file after SIGKILL, and at most the last line is torn."""
    code = (
        "import sys, pathlib; from app.core.spool import SpoolWriter\n"
        f"w = SpoolWriter(pathlib.Path({str(tmp_path)!r}), 'app', segment_bytes=5000, max_bytes=1<<30)\n"
        "n = 0\n"
        "while True:\n"
        '    assert w.append(b\'{"timestamp":"2026-11-22T02:15:04.123456Z","n":%d}\\n\' % n)\n'
        "    print(n, flush=True); n += 1\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(300)]
    child.kill()
    acknowledged += [int(line) for line in child.stdout.read().splitlines() if line.isdigit()]
    child.wait()
    child.stdout.close()
    found = [line for line in lines(tmp_path) if line.endswith(b"\n")]
    assert len(found) >= len(acknowledged)
    assert len(set(found)) == len(found)


def _write_many(folder: str, service: str, count: int) -> None:
    writer = SpoolWriter(Path(folder), service, segment_bytes=2000, max_bytes=1 << 30)
    for number in range(count):
        writer.append(b'{"timestamp":"2026-11-22T02:15:04.123456Z","who":"%s","n":%d}\n' % (service.encode(), number))


def test_several_processes_and_threads_share_a_folder(tmp_path: Path) -> None:
    """Writers never touch each other's segments; threads of one writer never mix their lines."""
    methods = multiprocessing.get_context("spawn")
    processes = [methods.Process(target=_write_many, args=(str(tmp_path), f"s{place}", 300)) for place in range(3)]
    for process in processes:
        process.start()
    writer = make(tmp_path)
    threads = [threading.Thread(target=lambda: [writer.append(RECORD % number) for number in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.join()
    writer.close()
    found = lines(tmp_path)
    assert len(found) == 3 * 300 + 4 * 200
    assert all(line.startswith(b'{"timestamp"') and line.endswith(b"}\n") for line in found)


def test_a_forked_child_writes_its_own_segment(tmp_path: Path) -> None:
    """After fork the child opens a segment of its own, and the parent's lock holds."""
    writer = make(tmp_path)
    writer.append(RECORD % 1)
    code = (
        "import os, sys, pathlib; from app.core.spool import SpoolWriter\n"
        f"w = SpoolWriter(pathlib.Path({str(tmp_path / 'forked')!r}), 'app', segment_bytes=1000, max_bytes=1<<30)\n"
        "w.append(b'parent\\n'); pid = os.fork(); w.append(b'child\\n' if pid == 0 else b'parent again\\n')\n"
        "os.waitpid(pid, 0) if pid else os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    writer.close()
    forked = tmp_path / "forked"
    contents = sorted((forked / str(name)).read_bytes() for name in list_segments(forked))
    assert contents == [b"child\n", b"parent\nparent again\n"]


def test_the_bound_drops_the_oldest_finished_segments_and_counts_their_records(tmp_path: Path) -> None:
    """Beyond max_bytes the oldest go; those that somebody reads or writes stay."""
    dropped: list[tuple[SegmentName, int]] = []
    writer = SpoolWriter(
        tmp_path, "app", segment_bytes=1000, max_bytes=5000, on_dropped=lambda name, records: dropped.append((name, records))
    )
    for number in range(600):
        writer.append(RECORD % number)
    wait_until("the bound to be kept", lambda: sum(path.stat().st_size for path in tmp_path.glob("*.ndjson")) <= 7000)
    writer.close()
    wait_until("all drops to be counted", lambda: len(lines(tmp_path)) + sum(count for _, count in dropped) == 600)
    assert lines(tmp_path)[-1] == RECORD % 599


def test_a_segment_that_is_being_read_is_not_dropped(tmp_path: Path) -> None:
    """The shipper's lock protects what it is delivering; the next oldest goes instead."""
    writer = make(tmp_path)
    for number in range(100):
        writer.append(RECORD % number)
    writer.close()
    oldest = list_segments(tmp_path)[0]
    with (tmp_path / str(oldest)).open() as reader:
        fcntl.flock(reader, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = [name for name, _ in drop_beyond(tmp_path, 2000)]
    assert gone
    assert oldest not in gone
    assert oldest in list_segments(tmp_path)


def test_a_short_write_is_undone(tmp_path: Path) -> None:
    """When the disk takes only a piece of a record, the piece is cut off again, append says no, and the next record is whole."""
    writer = make(tmp_path, segment_bytes=1 << 20)
    assert writer.append(RECORD % 1)
    size = next(tmp_path.glob("*.ndjson")).stat().st_size
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, old[1]))
        assert not writer.append(RECORD % 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, previous)
    assert writer.append(RECORD % 3)
    writer.close()
    assert lines(tmp_path) == [RECORD % 1, RECORD % 3]


def test_a_folder_that_can_not_be_made_says_no_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unusable folder makes append return False, without an exception; when it is usable again, so is the spool."""
    monkeypatch.setattr(spool, "REOPEN_SECONDS", 0.0)
    folder = tmp_path / "spool"
    folder.write_text("a file in the way")
    writer = make(folder)
    assert not writer.append(RECORD % 1)
    folder.unlink()
    assert writer.append(RECORD % 2)
    writer.close()
    assert lines(folder) == [RECORD % 2]


def test_a_removed_segment_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody deletes the spool under a writer, it opens a new segment instead of writing into nowhere."""
    monkeypatch.setattr(spool, "REOPEN_SECONDS", 0.0)
    writer = make(tmp_path)
    writer.append(RECORD % 1)
    for path in tmp_path.glob("*.ndjson"):
        path.unlink()
    assert writer.append(RECORD % 2)
    writer.close()
    assert lines(tmp_path) == [RECORD % 2]


def test_a_name_that_a_reader_took_away_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making a segment and locking it, a reader may remove it as finished: the writer must not write into it."""
    real: Callable[..., None] = fcntl.flock
    calls: list[int] = []

    def unlink_first(descriptor: int, how: int) -> None:
        if not calls:
            os.unlink(os.readlink(f"/proc/self/fd/{descriptor}"))
        calls.append(how)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", unlink_first)
    writer = make(tmp_path)
    assert writer.append(RECORD % 1)
    writer.close()
    assert lines(tmp_path) == [RECORD % 1]
    assert len(calls) == 2


def test_sync_and_close_are_safe_at_any_time(tmp_path: Path) -> None:
    """Before the first record, after the last, twice."""
    writer = make(tmp_path)
    writer.sync()
    writer.close()
    writer.append(RECORD % 1)
    writer.sync()
    writer.close()
    writer.close()
    assert writer.append(RECORD % 2)
    writer.close()
    assert len(lines(tmp_path)) == 2


@pytest.mark.parametrize(
    ("position", "lost"),
    [
        (0, 20),
        (5 * len(RECORD % 0), 15),
        (20 * len(RECORD % 0), 0),
        (5 * len(RECORD % 0) + 3, 20),
        (10**9, 20),
    ],
    ids=["nothing", "a part", "all of it", "inside a line", "beyond the end"],
)
def test_delivered_lines_of_a_dropped_segment_are_no_loss(tmp_path: Path, position: int, lost: int) -> None:
    """What the shipper saved as delivered is not counted as dropped; a position that can't be right is not believed."""
    writer = make(tmp_path, segment_bytes=1 << 20)
    for number in range(20):
        writer.append(RECORD % number)
    writer.close()
    (name,) = list_segments(tmp_path)
    (tmp_path / STATE_FOLDER).mkdir()
    PositionFile(tmp_path / STATE_FOLDER).save(Progress({str(name): position}, {}))
    assert list(drop_beyond(tmp_path, 0)) == [(name, lost)]


def test_without_usable_positions_every_line_of_a_dropped_segment_counts(tmp_path: Path) -> None:
    """A torn position file is no reason to say that less was lost."""
    writer = make(tmp_path)
    writer.append(RECORD % 1)
    writer.close()
    (tmp_path / STATE_FOLDER).mkdir()
    (tmp_path / STATE_FOLDER / FILE_NAME).write_bytes(b"\0" * 100)
    assert [records for _, records in drop_beyond(tmp_path, 0)] == [1]


def test_a_segment_is_marked_from_the_first_look_on(tmp_path: Path) -> None:
    """A reader that opened it while it was written keeps it from being dropped when its writer lets go."""
    writer = make(tmp_path)
    writer.append(RECORD % 1)
    (name,) = list_segments(tmp_path)
    reader = os.open(tmp_path / str(name), os.O_RDONLY)
    assert take_mark(reader)
    writer.close()
    assert list(drop_beyond(tmp_path, 0)) == []
    os.close(reader)
    assert list(drop_beyond(tmp_path, 0)) == [(name, 1)]


def test_segments_of_another_user_do_not_stop_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that may not be locked stays; the next oldest goes instead."""
    writer = make(tmp_path)
    for number in range(60):
        writer.append(RECORD % number)
    writer.close()
    first, second, *_ = list_segments(tmp_path)
    real = os.open

    def refuse(path: Path, flags: int, *more: int) -> int:
        if str(path).endswith(str(first)) and flags & os.O_RDWR:
            raise PermissionError
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", refuse)
    assert next(drop_beyond(tmp_path, 2000))[0] == second


class Disk:
    """Notes which files and folders were forced to disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[str] = []
        self.folders: list[str] = []
        monkeypatch.setattr(os, "fdatasync", lambda descriptor: self.synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
        monkeypatch.setattr(os, "fsync", lambda descriptor: self.folders.append(os.readlink(f"/proc/self/fd/{descriptor}")))


def durable(folder: Path, policy: FsyncPolicy, seconds: float = 3600) -> SpoolWriter:
    """A writer with a policy, and segments of about three records."""
    return SpoolWriter(folder, "app", segment_bytes=150, max_bytes=1 << 30, fsync=policy, fsync_seconds=seconds)


def test_by_default_only_names_are_forced_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy off: the kernel decides about bytes, the folder is synced for each segment."""
    disk = Disk(monkeypatch)
    writer = durable(tmp_path, "off")
    for number in range(6):
        writer.append(RECORD % number)
    wait_until("each name is on disk", lambda: len(disk.folders) >= 2)
    writer.close()
    assert disk.synced == []
    assert set(disk.folders) == {str(tmp_path)}


def test_policy_segment_forces_each_finished_segment_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a segment is let go, its bytes are on disk; the one being written is not touched."""
    disk = Disk(monkeypatch)
    writer = durable(tmp_path, "segment")
    for number in range(9):
        writer.append(RECORD % number)
    names = [str(tmp_path / str(name)) for name in list_segments(tmp_path)]
    wait_until("the finished ones are on disk", lambda: set(disk.synced) == set(names[:-1]))
    writer.close()
    assert set(disk.synced) == set(names)


def test_policy_interval_forces_what_was_written_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written bytes are on disk after the interval, an idle spool costs no sync, and a new process goes on by itself."""
    disk = Disk(monkeypatch)
    writer = durable(tmp_path, "interval", 0.01)
    writer.append(RECORD % 1)
    wait_until("it is on disk", lambda: len(disk.synced) == 1)
    writer.append(RECORD % 2)
    wait_until("the next is, too", lambda: len(disk.synced) >= 2)
    writer.close()
    assert len(disk.synced) == 2


def test_a_sync_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses costs the caller nothing."""
    writer = durable(tmp_path, "off")
    writer.append(RECORD % 1)
    done: list[int] = []

    def refuse_once(descriptor: int) -> None:
        done.append(descriptor)
        if len(done) == 1:
            raise OSError

    monkeypatch.setattr(os, "fdatasync", refuse_once)
    writer.sync()
    writer.sync()
    writer.sync()
    assert len(done) == 2
    writer.close()
