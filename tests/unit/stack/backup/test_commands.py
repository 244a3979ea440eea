"""What the commands print, without any server."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyrage
import pytest

from app.stack.backup import commands, prometheus
from app.stack.backup.report import report_failure
from app.stack.backup.save import Made
from app.stack.backup.saver import Saver
from app.stack.backup.sealed import Key
from app.stack.backup.shelf import SNAPSHOT, Shelf
from app.stack.backup.view import human, human_age, seconds
from app.stack.errors import StackError
from app.stack.mode import Mode
from app.stack.stack import Stack
from tests.unit.stack.backup.conftest import FolderPlace, make


def test_the_list_needs_no_key_and_shows_what_there_is(stack: Stack, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """Finished ones with their figures, unfinished ones as such; an unreadable one is named and makes the exit code 1."""
    folder = made.path.parent
    (folder / "nobet-2026-01-01T00-00-00Z.part").mkdir()
    assert commands.list_backups(stack, str(folder), as_json=False) == 0
    printed = capsys.readouterr().out
    assert made.path.name in printed
    assert "nobet-2026-01-01T00-00-00Z.part: under way, or interrupted" in printed
    assert f"1 backup in {folder}" in printed
    (folder / "nobet-2026-01-02T00-00-00Z").mkdir()
    assert commands.list_backups(stack, str(folder), as_json=True) == 1
    output = capsys.readouterr()
    assert [entry["name"] for entry in json.loads(output.out)] == [made.path.name]
    assert "nobet-2026-01-02T00-00-00Z/manifest.json can't be read" in output.err


def test_no_backup_yet_is_said_with_what_to_do(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list is fine; nothing to verify is a sentence."""
    assert commands.list_backups(stack, str(tmp_path / "none"), as_json=False) == 0
    assert "Make one: nobet backup" in capsys.readouterr().out
    with pytest.raises(StackError, match=r"There is no backup in .* Make one: nobet backup"):
        commands.verify(stack, [], str(tmp_path / "none"), "")


def test_verify_takes_the_newest_and_counts_the_bad(
    stack: Stack, full: FolderPlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An intact one is said to be, with its size; a damaged one is named, and the exit code is 1."""
    shelf, key = Shelf(tmp_path / "own"), commands.key_of(stack)
    made = make(full, shelf, key)
    assert commands.verify(stack, [], str(shelf.folder), "") == 0
    assert f"{made.path.name} is intact: " in capsys.readouterr().out
    (made.path / "spool/files.zst.age").write_bytes(b"x")
    assert commands.verify(stack, [made.path.name], str(shelf.folder), "") == 1
    assert "spool/files.zst.age can't be read" in capsys.readouterr().err


def test_the_key_is_printed_and_nothing_else(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """The output can go into a password manager or a file as it is."""
    assert commands.show_key(stack) == 0
    assert Key(capsys.readouterr().out).recipient == commands.key_of(stack).recipient


def test_a_key_comes_from_a_file_or_standard_input(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way; a file that is not there is one sentence."""
    identity = str(pyrage.x25519.Identity.generate())
    (tmp_path / "key").write_text(identity)
    monkeypatch.setattr("sys.stdin", io.StringIO(identity))
    assert commands.key_of(stack, str(tmp_path / "key")).recipient == commands.key_of(stack, "-").recipient
    with pytest.raises(StackError, match="No such file"):
        commands.key_of(stack, str(tmp_path / "none"))


def test_a_snapshot_that_was_left_behind_is_dropped(full: FolderPlace, shelf: Shelf, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed backup leaves a snapshot that keeps deleted blocks on disk; the next one removes it, and its own."""
    leftover = shelf.folder / "nobet-2026-01-01T00-00-00Z.part"
    leftover.mkdir(parents=True)
    (leftover / SNAPSHOT).write_text("left")
    for name in ("left", "new"):
        block = full.root / "prometheus" / "snapshots" / name / "01B"
        block.mkdir(parents=True)
        (block / "meta.json").write_text('{"stats": {"numSeries": 2, "numSamples": 30}}')
    answers = {"GET": {"data": {"version": "2.42.0"}}, "POST": {"data": {"name": "new"}}}
    monkeypatch.setattr(httpx, "request", lambda method, *_args, **_kwargs: httpx.Response(200, json=answers[method]))
    dropped: list[str] = []
    monkeypatch.setattr(full, "drop_tree", lambda _store, below: dropped.append(below))
    with shelf.writing():
        saver = Saver(shelf.folder, key)
        saver.know(shelf)
        assert prometheus.save_prometheus(full, saver) == "30 samples in 1 blocks"
    assert dropped == ["snapshots/left", "snapshots/new"]
    assert saver.parts[0].counts == {"blocks": 1, "series": 2, "samples": 30}
    assert not (shelf.folder / SNAPSHOT).exists()


def test_prometheus_without_its_admin_interface_is_told_how_to_get_it(full: FolderPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was started before this version refuses; the sentence says what to run."""
    answer = httpx.Response(503, json={"status": "error", "error": "admin APIs disabled"})
    monkeypatch.setattr(httpx, "request", lambda *_args, **_kwargs: answer)
    with pytest.raises(StackError, match=r"--web.enable-admin-api.*`make up`"):
        prometheus.save_prometheus(full, Saver(full.root, Key(str(pyrage.x25519.Identity.generate()))))


def test_a_failure_reaches_the_cleanup_process_as_one_sentence(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it notes is our sentence, or the name of an unforeseen error: never its text, which may hold anything."""
    noted: list[list[str]] = []

    def run(_stack: Stack, _mode: Mode, _component: str, arguments: list[str]) -> int:
        noted.append(arguments)
        return 0

    monkeypatch.setattr("app.stack.backup.report.run_own", run)
    assert report_failure(stack, Mode.NATIVE, StackError("The disk is full."), 0.0)
    assert report_failure(stack, Mode.NATIVE, ValueError("secret"), 0.0)
    assert [arguments[-1] for arguments in noted] == ["--failure=The disk is full.", "--failure=ValueError"]


def test_figures_are_for_people() -> None:
    """Sizes, durations and ages as one says them."""
    import datetime as dt

    assert [human(size) for size in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert [seconds(took) for took in (0.04, 59.9, 63)] == ["0.0 s", "59.9 s", "1 min 3 s"]
    assert [human_age(dt.timedelta(seconds=age)) for age in (5, 600, 7200, 5 * 86400)] == ["5 s", "10 min", "2 h", "5 days"]


def test_what_is_known_only_at_the_end_of_a_stream_is_asked_then(shelf: Shelf, key: Key) -> None:
    """The identity of a part may depend on what was counted while it was read."""
    counts = {"documents": 0}

    def lines() -> Iterator[bytes]:
        counts["documents"] = 3
        yield b"x"

    with shelf.writing():
        part = Saver(shelf.folder, key).save("elasticsearch", "index", lines(), counts, lambda: f"of {counts['documents']}")
    assert (part.identity, part.counts) == ("of 3", {"documents": 3})
