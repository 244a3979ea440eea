"""What a machine can run, and the sentences for what it lacks."""

from collections import namedtuple
from pathlib import Path

import pytest

from app.stack import up as up_module
from app.stack.choose import choose
from app.stack.errors import StackError
from app.stack.install import maven
from app.stack.model import Apt, Go
from app.stack.stack import Stack
from app.stack.up import check_disk
from tests.unit.stack.conftest import OpenStack

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 (the shape of shutil.disk_usage)


@pytest.fixture
def bare(open_at: OpenStack, tmp_path: Path) -> Stack:
    """A stack with an empty cache."""
    return open_at(STACK_CACHE_DIR=str(tmp_path / "cache"))


def test_a_missing_java_is_one_sentence(bare: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java the start ends at once, says for what it is needed, and how to get it."""
    monkeypatch.setattr(maven, "java_version", lambda: (0, 0))
    with pytest.raises(StackError, match=r"^Elasticsearch can't run here: Java 17 is not on the PATH \(`apt-get install .*`"):
        choose(bare)


def test_an_old_java_is_one_sentence(bare: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java that is too old is told with both versions."""
    monkeypatch.setattr(maven, "java_version", lambda: (11, 0))
    with pytest.raises(StackError, match=r"Java 11 is too old, 17 is needed"):
        choose(bare)


def test_without_go_an_older_alertmanager_and_no_jaeger(bare: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Go runs Debian's Alertmanager; Jaeger is left out with the reason."""
    monkeypatch.setattr("app.stack.install.go_version", lambda: (1, 19))
    choice = choose(bare)
    assert isinstance(choice.chosen["alertmanager"].source, Apt)
    assert choice.skipped["jaeger"] == "go 1.25 or newer is not on the PATH"


def test_with_go_the_current_alertmanager(bare: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Go is new enough, the first source is taken."""
    monkeypatch.setattr("app.stack.install.go_version", lambda: (1, 26))
    assert isinstance(choose(bare).chosen["alertmanager"].source, Go)


def test_asking_for_what_can_not_run_is_an_error(bare: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """An optional component that somebody names is no longer optional."""
    monkeypatch.setattr("app.stack.install.go_version", lambda: (0, 0))
    with pytest.raises(StackError, match=r"^Jaeger can't run here: go 1\.25 or newer"):
        choose(bare, ["jaeger"])


def test_status_never_refuses(bare: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at a stack works on a machine that could not start it."""
    monkeypatch.setattr(maven, "java_version", lambda: (0, 0))
    assert "elasticsearch" in choose(bare, strict=False).skipped


@pytest.mark.parametrize(
    ("free", "cached", "said"), [(2.9, False, "3 GiB are needed to install"), (0.9, True, "1 GiB are needed to start")]
)
def test_a_full_disk_is_one_sentence(bare: Stack, monkeypatch: pytest.MonkeyPatch, free: float, cached: bool, said: str) -> None:
    """Too little room is said before anything is fetched or started, with the numbers and the way out."""
    choice = choose(bare, ["redis"])
    monkeypatch.setattr(up_module, "is_installed", lambda *_: cached)
    monkeypatch.setattr("app.stack.up.shutil.disk_usage", lambda _: Usage(100, 100, int(free * 1024**3)))
    with pytest.raises(StackError, match=f"^{free} GiB are free in .*{said}.*STACK_DIR"):
        check_disk(bare, choice)


def test_room_for_a_start_is_enough_when_all_is_cached(bare: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything cached a gigabyte is enough."""
    monkeypatch.setattr(up_module, "is_installed", lambda *_: True)
    monkeypatch.setattr("app.stack.up.shutil.disk_usage", lambda _: Usage(100, 100, int(1.1 * 1024**3)))
    check_disk(bare, choose(bare, ["redis"]))
