"""A stack that consists of folders: what can be saved without any server."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pyrage
import pytest

from app.stack.backup import place
from app.stack.backup.save import Keep, Made, make_backup
from app.stack.backup.sealed import Key
from app.stack.backup.shelf import Shelf
from app.stack.backup.streams import Command, Take, count_tree, tar_of, untar_into

KEEP: Final = Keep(count=7, days=30)


class FolderPlace:
    """A `Place` whose stores are folders in one."""

    mode: Final = "native"
    elasticsearch: Final = ("http://127.0.0.1:1", ("nobet_admin", "unused"))
    prometheus: Final = "http://127.0.0.1:1"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[str] = []

    def has(self, store: str) -> bool:
        """See the protocol."""
        return (self.root / store).is_dir()

    def must_run(self, store: str) -> None:
        """See the protocol."""

    def postgres(self, program: str, *arguments: str) -> Command:
        """See the protocol."""
        return Command([program, *arguments])

    def tree(self, store: str, counts: dict[str, int], below: str = "") -> Iterator[bytes]:
        """See the protocol."""
        return tar_of(self.root / store / below, counts)

    def put_tree(self, store: str) -> AbstractContextManager[Take]:
        """See the protocol."""
        return untar_into(self.root / store)

    def drop_tree(self, store: str, below: str) -> None:
        """See the protocol."""

    def count_tree(self, store: str) -> dict[str, int]:
        """See the protocol."""
        return count_tree(self.root / store)

    def files(self, store: str) -> list[place.StoredFile]:
        """See the protocol."""
        return [place.StoredFile(path.name, path.stat().st_size, "1") for path in sorted((self.root / store).iterdir())]

    def folders(self, store: str, below: str = "") -> list[str]:
        """See the protocol."""
        return sorted(path.name for path in (self.root / store / below).iterdir())

    def file(self, store: str, name: str) -> Iterator[bytes]:
        """See the protocol."""
        self.events.append(f"read {name}")
        yield (self.root / store / name).read_bytes()

    def settings_text(self) -> str:
        """See the protocol."""
        return (self.root / ".env").read_text()

    def occupied(self) -> list[str]:
        """See the protocol."""
        return sorted(path.name for path in self.root.iterdir())

    def make_room(self) -> str:
        """See the protocol."""
        self.events.append("make room")
        return ""

    def put_settings(self, text: str) -> None:
        """See the protocol."""
        (self.root / ".env").write_text(text)

    def start_stores(self) -> None:
        """See the protocol."""
        self.events.append("start")

    def finished(self) -> None:
        """See the protocol."""
        self.events.append("finished")


@pytest.fixture
def key() -> Key:
    """The stack's key."""
    return Key(str(pyrage.x25519.Identity.generate()))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty folder of backups."""
    return Shelf(tmp_path / "backups")


@pytest.fixture
def full(tmp_path: Path) -> FolderPlace:
    """A stack with settings, a spool, a Grafana and two archives."""
    root = tmp_path / "full"
    for name, text in {
        ".env": "A=1\n# B=2\nPOSTGRES_PASSWORD=secret-of-the-stack\n",
        "spool/app/1.seg": "record\n" * 1000,
        "grafana/plugins/x/plugin.json": "{}",
        "archives/logs-1.age": "sealed",
        "archives/logs-1.json": "{}",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "grafana" / "empty").mkdir()
    return FolderPlace(root)


@pytest.fixture
def empty(tmp_path: Path) -> FolderPlace:
    """A stack with nothing."""
    (tmp_path / "empty").mkdir()
    return FolderPlace(tmp_path / "empty")


@pytest.fixture
def made(full: FolderPlace, shelf: Shelf, key: Key) -> Made:
    """A backup of the full stack."""
    return make(full, shelf, key)


def make(stack: FolderPlace, shelf: Shelf, key: Key, keep: Keep = KEEP) -> Made:
    """Make a backup quietly."""
    return make_backup(stack, shelf, key, keep, "0.1.0", lambda _store, _state, _detail: None)
