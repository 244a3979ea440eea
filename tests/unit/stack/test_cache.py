"""The cache of downloads and builds."""

from pathlib import Path

import pytest

from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.install import home_of, is_installed
from app.stack.install.cache import fresh_entry
from app.stack.install.tools import run_client


def test_an_entry_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    """While it is made, the entry does not exist under its name."""
    entry = tmp_path / "tool-1.0"
    with fresh_entry(entry) as building:
        (building / "program").write_text("x")
        assert not entry.exists()
    assert (entry / "program").read_text() == "x"


def test_a_broken_install_leaves_nothing(tmp_path: Path) -> None:
    """After a failure neither the entry nor its half is there, so the next start begins anew."""

    def break_half_way() -> None:
        with fresh_entry(tmp_path / "tool-1.0") as building:
            (building / "half").write_text("x")
            raise StackError("the line broke")

    with pytest.raises(StackError):
        break_half_way()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_install_left_is_swept(tmp_path: Path) -> None:
    """A half that a killed process could not remove goes with the next install, and is never taken for the entry."""
    entry = tmp_path / "tool-1.0"
    leftover = tmp_path / ".tool-1.0.part-99999"
    leftover.mkdir()
    with fresh_entry(entry) as building:
        (building / "program").write_text("x")
    assert not leftover.exists()
    assert entry.is_dir()


@pytest.mark.parametrize("name", ["elasticsearch", "alertmanager", "inbox", "prometheus"])
def test_an_empty_cache_has_nothing(name: str, tmp_path: Path) -> None:
    """Only a complete home counts as installed."""
    component = COMPONENTS[name]
    source = component.sources[0]
    assert not is_installed(source, component, tmp_path)
    home_of(source, component, tmp_path).mkdir(parents=True)
    assert is_installed(source, component, tmp_path)


def test_a_failed_client_is_one_sentence_with_its_reason() -> None:
    """The sentence names the package, repeats why, and says that running again resumes."""
    with pytest.raises(StackError) as caught:
        run_client(["sh", "-c", "echo ignore me; echo 'E: Unable to fetch the thing' >&2; exit 100"], what="Downloading redis-server")
    assert str(caught.value) == (
        "Downloading redis-server failed: E: Unable to fetch the thing. Nothing half-finished is kept; run again to resume."
    )


def test_a_missing_client_is_one_sentence() -> None:
    """A package client that is not installed is named."""
    with pytest.raises(StackError, match=r"^Downloading x: no-such-client is not on the PATH\. Install it"):
        run_client(["no-such-client"], what="Downloading x")
