"""The position file: whole or not at all, and never believed when damaged."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.shipper.positions import FILE_NAME, PositionFile, Progress, UnusablePositionsError

PROGRESS = Progress({"app.w1.00000001.ndjson": 4711}, {"shipper_records_indexed_total": 12})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """Positions and counts come back together."""
    PositionFile(tmp_path).save(PROGRESS)
    assert PositionFile(tmp_path).load() == PROGRESS


def test_the_first_start_is_no_fault(tmp_path: Path) -> None:
    """No file means nothing was shipped yet."""
    assert PositionFile(tmp_path).load() == Progress()


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"garbage", b"{}", b"00000000 {}"])
def test_a_damaged_file_is_not_believed(tmp_path: Path, content: bytes) -> None:
    """Zero bytes after a power failure and garbage are told from positions."""
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(UnusablePositionsError):
        PositionFile(tmp_path).load()


@settings(deadline=None)
@given(place=st.integers(0, 200), bit=st.integers(0, 7))
def test_one_wrong_bit_is_noticed(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    """Whichever bit flips, the file is refused; a wrong position would skip records for good."""
    folder = tmp_path_factory.mktemp("positions")
    PositionFile(folder).save(PROGRESS)
    content = bytearray((folder / FILE_NAME).read_bytes())
    body = content.rstrip(b"\n")
    content[place % len(body)] ^= 1 << bit
    (folder / FILE_NAME).write_bytes(content)
    with pytest.raises(UnusablePositionsError):
        PositionFile(folder).load()


def test_saving_replaces_the_file_durably_and_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is forced to disk before it takes the old one's name, and the folder after."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watch_fsync(descriptor: int) -> None:
        steps.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        fsync(descriptor)

    def watch_replace(self: Path, target: Path) -> Path:
        steps.append(f"rename {self.name} {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    PositionFile(tmp_path).save(PROGRESS)
    assert steps == ["sync positions.new", "rename positions.new positions", f"sync {tmp_path.name}"]


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs the new positions, not the old ones."""
    PositionFile(tmp_path).save(PROGRESS)

    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        PositionFile(tmp_path).save(Progress({"x": 1}, {}))
    monkeypatch.undo()
    assert PositionFile(tmp_path).load() == PROGRESS
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
