"""Making, proving and bringing back, over folders; servers are in tests/integration/backup."""

import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pyrage
import pytest

from app.stack.backup.model import Manifest
from app.stack.backup.restore import restore_backup, verify_backup
from app.stack.backup.save import Keep, Made
from app.stack.backup.sealed import Key
from app.stack.backup.settings_file import merged
from app.stack.backup.shelf import MANIFEST, Shelf, read_manifest
from app.stack.backup.streams import Command, count_tree, input_of, output_of, tar_of, untar_into
from app.stack.errors import StackError
from tests.unit.stack.backup.conftest import FolderPlace, make

_YESTERDAY = f"nobet-{dt.datetime.now(dt.UTC) - dt.timedelta(days=1):%Y-%m-%dT%H-%M-%SZ}"


def _tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _restore(stack: FolderPlace, made: Made, key: Key, *, force: bool = False) -> tuple[Manifest, str]:
    return restore_backup(stack, made.path, key, lambda _store, _state, _detail: None, force=force)


@pytest.mark.req("BAK-03")
def test_what_comes_back_is_what_was_saved(full: FolderPlace, empty: FolderPlace, made: Made, key: Key) -> None:
    """Every file of every store is there again, byte for byte; so are the settings and empty folders."""
    _restore(empty, made, key)
    assert _tree(empty.root) == _tree(full.root)
    assert (empty.root / "grafana" / "empty").is_dir()
    assert empty.events == ["make room", "start", "finished"]


@pytest.mark.req("BAK-02", "PRV-13")
def test_no_word_of_it_can_be_read_without_the_key(made: Made) -> None:
    """Files are age's, only the owner may open them, and the manifest has neither secrets nor content."""
    for path in made.path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file():
            assert b"secret-of-the-stack" not in path.read_bytes()
        if path.suffix == ".age":
            assert path.read_bytes().startswith(b"age-encryption.org/v1\n-> X25519 ")


@pytest.mark.req("BAK-02")
def test_another_key_opens_nothing_and_changes_nothing(empty: FolderPlace, made: Made) -> None:
    """The refusal says which key is needed, and comes before the stack is touched."""
    other = Key(str(pyrage.x25519.Identity.generate()))
    with pytest.raises(StackError, match="sealed for another key"):
        _restore(empty, made, other)
    assert empty.events == []


def test_a_key_is_found_in_any_text_and_never_shown() -> None:
    """age-keygen's file and an old .env do as well as the bare identity; what is no key is refused without being repeated."""
    identity = str(pyrage.x25519.Identity.generate())
    recipients = {Key(text).recipient for text in (identity, f"# created\n{identity}\n", f"A=1\nLOG_ARCHIVE_IDENTITY={identity}\n")}
    assert len(recipients) == 1
    with pytest.raises(StackError) as caught:
        Key(identity[:-5])
    assert identity[:-5] not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "gone", "swapped"])
def test_every_damage_is_found_before_anything_is_touched(empty: FolderPlace, made: Made, key: Key, damage: str) -> None:
    """A torn file, one other byte, bytes behind the end, a missing or an exchanged file: verify and restore both refuse."""
    victim, other = made.path / "spool/files.zst.age", made.path / "grafana/files.zst.age"
    content = victim.read_bytes()
    if damage == "gone":
        victim.unlink()
    else:
        middle = len(content) // 2
        changed = {
            "cut": content[:-20],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "longer": content + b"x",
            "swapped": other.read_bytes(),
        }
        victim.write_bytes(changed[damage])
    with pytest.raises(StackError, match=r"spool/files"):
        verify_backup(made.path, key)
    with pytest.raises(StackError, match=r"spool/files"):
        _restore(empty, made, key)
    assert empty.events == []


def test_a_changed_manifest_is_not_believed(made: Made, key: Key) -> None:
    """Who can write to the disk can seal files for the public key, but can't write a manifest that passes."""
    file = made.path / MANIFEST
    content = json.loads(file.read_text())
    content["parts"] = content["parts"][1:]
    file.write_text(json.dumps(content))
    with pytest.raises(StackError, match="was changed after it was written"):
        verify_backup(made.path, key)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"proof": "", "format": 99}'])
def test_a_manifest_that_is_none_is_said_to_be_damaged(made: Made, key: Key, text: str) -> None:
    """One sentence, no traceback."""
    (made.path / MANIFEST).write_text(text)
    with pytest.raises(StackError, match=r"damaged|format 99"):
        read_manifest(made.path, key)


def test_a_stack_with_data_is_left_alone(full: FolderPlace, made: Made, key: Key) -> None:
    """Without --force nothing happens, and the sentence names what is there."""
    full.events.clear()
    with pytest.raises(StackError, match=r"has data already: .*grafana.*--force"):
        _restore(full, made, key)
    assert full.events == []


def test_what_did_not_change_is_taken_over(full: FolderPlace, shelf: Shelf, key: Key) -> None:
    """The second backup reads no archive again, shares its file on disk, and is complete without the first."""
    first = make(full, shelf, key)
    full.events.clear()
    earlier = first.path.rename(first.path.with_name(_YESTERDAY))
    second = make(full, shelf, key)
    assert full.events == []
    name = "archives/logs-1.age.zst.age"
    assert (second.path / name).stat().st_ino == (earlier / name).stat().st_ino
    shelf.remove(earlier)
    assert verify_backup(second.path, key).total("archives") == 2


def test_a_damaged_part_is_not_taken_over(full: FolderPlace, shelf: Shelf, key: Key) -> None:
    """Damage in one backup does not spread to the next: the part is read anew."""
    first = make(full, shelf, key)
    old = first.path.rename(first.path.with_name(_YESTERDAY))
    (old / "archives/logs-1.age.zst.age").write_bytes(b"x")
    second = make(full, shelf, key)
    verify_backup(second.path, key)


@pytest.mark.req("BAK-04")
def test_old_backups_go_when_a_new_one_is_there(full: FolderPlace, shelf: Shelf, key: Key) -> None:
    """Beyond BACKUP_KEEP and beyond BACKUP_DAYS they vanish; the newest never does; a stranger's folder stays."""
    shelf.folder.mkdir()
    (shelf.folder / "holiday").mkdir()
    for name in ("nobet-2020-01-01T00-00-00Z", "nobet-2999-01-01T00-00-00Z", "nobet-2999-01-02T00-00-00Z"):
        (shelf.folder / name).mkdir()
    made = make(full, shelf, key, Keep(count=2, days=30))
    assert made.removed == [made.path.name, "nobet-2020-01-01T00-00-00Z"]  # of the four, the two of the far future are the newest
    assert sorted(path.name for path in shelf.folder.iterdir() if path.is_dir()) == [
        "holiday",
        "nobet-2999-01-01T00-00-00Z",
        "nobet-2999-01-02T00-00-00Z",
    ]


@pytest.mark.req("BAK-04")
def test_age_ends_backups_although_few(full: FolderPlace, shelf: Shelf, key: Key) -> None:
    """With room for seven, one of 31 days goes nevertheless."""
    (shelf.folder / "nobet-2020-01-01T00-00-00Z").mkdir(parents=True)
    assert make(full, shelf, key).removed == ["nobet-2020-01-01T00-00-00Z"]


def test_a_failure_leaves_nothing_that_looks_like_a_backup(
    full: FolderPlace, shelf: Shelf, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a store can't be saved there is no backup, no half of one, and the earlier ones stay."""
    earlier = make(full, shelf, key).path
    earlier = earlier.rename(earlier.with_name("nobet-2999-01-01T00-00-00Z"))

    def broken(*_arguments: object) -> object:
        raise StackError("Grafana is away.")

    monkeypatch.setattr(full, "files", broken)
    with pytest.raises(StackError, match="Grafana is away"):
        make(full, shelf, key)
    assert shelf.paths() == [earlier]
    assert shelf.unfinished() == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(full: FolderPlace, tmp_path: Path, key: Key) -> None:
    """Beyond the file size that the kernel allows, writing fails as on a full disk."""
    (full.root / "spool/app/1.seg").write_bytes(os.urandom(3_000_000))
    shelf = Shelf(tmp_path / "small")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000));"
        "from tests.unit.stack.backup.conftest import *; "
        f"make(FolderPlace(Path({str(full.root)!r})), Shelf(Path({str(shelf.folder)!r})), Key(sys.stdin.read()))"
    )
    identity = str(pyrage.x25519.Identity.generate())
    done = subprocess.run([sys.executable, "-c", code], input=identity, capture_output=True, text=True, check=False, timeout=60)
    assert "can't be written (File too large). Free space there, or choose another folder with --to." in done.stderr
    assert shelf.paths() == shelf.unfinished() == []


def test_a_killed_backup_is_none_and_is_cleared_away(full: FolderPlace, shelf: Shelf, key: Key) -> None:
    """After kill -9 in the middle only a `.part` is left: not listed, not restorable, gone after the next backup."""
    code = (
        "import os, signal; from pathlib import Path; from tests.unit.stack.backup.conftest import *\n"
        "class Dying(FolderPlace):\n"
        "    def files(self, store): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"import sys; make(Dying(Path({str(full.root)!r})), Shelf(Path({str(shelf.folder)!r})), Key(sys.stdin.read()))"
    )
    identity = str(pyrage.x25519.Identity.generate())
    done = subprocess.run([sys.executable, "-c", code], input=identity, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (leftover,) = shelf.unfinished()
    assert shelf.paths() == []
    with pytest.raises(StackError, match="never finished"):
        shelf.find(leftover.name)
    made = make(full, shelf, key)
    assert shelf.unfinished() == []
    assert shelf.paths() == [made.path]


def test_two_backups_at_once_do_not_disturb_each_other(full: FolderPlace, shelf: Shelf, key: Key) -> None:
    """The second says that the first is at work, and the first one's files stay."""
    with shelf.writing(), pytest.raises(StackError, match="Another backup"):
        make(full, shelf, key)


def test_a_folder_nobody_can_write_to_is_one_sentence(full: FolderPlace, tmp_path: Path, key: Key) -> None:
    """A file in the place of the folder stands for all of them: no traceback."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StackError, match="can't be used"):
        make(full, Shelf(tmp_path / "file"), key)


def test_a_busy_database_is_saved_as_of_one_moment(tmp_path: Path) -> None:
    """While somebody writes pairs of rows into a SQLite database, its copy never has half of a pair."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    connection = sqlite3.connect(source / "x.sqlite3", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE t (n)")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            connection.execute("BEGIN")
            connection.execute("INSERT INTO t VALUES (1)")
            connection.execute("INSERT INTO t VALUES (2)")
            connection.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        counts: dict[str, int] = {}
        with untar_into(target) as take:
            for chunk in tar_of(source, counts):
                take(chunk)
    finally:
        stop.set()
        thread.join()
        connection.close()
    assert counts["rows"] % 2 == 0
    assert count_tree(target) == counts


def test_files_that_vanish_or_grow_do_not_stop_the_saving(tmp_path: Path) -> None:
    """The spool's owner goes on writing and its shipper deletes: what is there when its turn comes is saved."""
    source = tmp_path / "source"
    source.mkdir()
    for name in "abc":
        (source / name).write_text(name * 10)
    counts: dict[str, int] = {}
    stream = tar_of(source, counts)
    first = next(stream)
    with (source / "a").open("a") as growing:
        growing.write("more")
    (source / "b").unlink()
    with untar_into(tmp_path / "target") as take:
        take(first)
        for chunk in stream:
            take(chunk)
    assert _tree(tmp_path / "target") == {"a": b"a" * 10, "c": b"c" * 10}
    assert counts == {"files": 2, "rows": 0}


def test_a_failing_program_says_why() -> None:
    """Its own last words are in the sentence, whether we read from it or write to it."""
    with pytest.raises(StackError, match=r"^Dumping failed: no such table$"):
        list(output_of(Command(["sh", "-c", "echo half; echo no such table >&2; exit 3"], os.environ), "Dumping"))
    with pytest.raises(StackError, match=r"^Loading failed: too old$"):
        _write_to(Command(["sh", "-c", "echo too old >&2; exit 1"], os.environ))


def _write_to(command: Command) -> None:
    with input_of(command, "Loading") as take:
        for _ in range(1000):
            take(b"x" * 65536)


def test_the_settings_of_this_machine_stay() -> None:
    """Where things are comes from the machine that restores, everything else from the backup."""
    saved = "POSTGRES_PASSWORD=old\nSTACK_DIR=/old\nBACKUP_DIR=/mnt/old\nSLACK=1"
    present = "POSTGRES_PASSWORD=new\nSTACK_PORT_OFFSET=1000\nSTACK_DIR=/new"
    assert merged(saved, present) == "POSTGRES_PASSWORD=old\nSLACK=1\nSTACK_PORT_OFFSET=1000\nSTACK_DIR=/new\n"
    assert merged("A=1\n", "") == "A=1\n"
