"""Debian packages, with stand-ins for apt and dpkg that keep a record of their calls."""

from pathlib import Path

import pytest

from app.stack.errors import StackError
from app.stack.install import apt
from app.stack.model import Apt

APT_CACHE = """\
for name; do case "$name" in
  known-*) printf '%s:\\n  Installed: (none)\\n  Candidate: 1.0\\n' "$name";;
  fresh-*) test -e "$BOX/updated" && printf '%s:\\n  Installed: (none)\\n  Candidate: 1.0\\n' "$name";;
esac; done; true
"""

APT_GET = """\
case "$*" in
  *" update "*) touch "$BOX/updated";;
  *" install "*) printf 'Inst libnew (1.0 Debian)\\nInst libold [0.9] (1.0 Debian)\\nInst perl (5 Debian)\\n';;
  *" download "*)
    if test -e "$BOX/moved" && ! test -e "$BOX/updated"; then echo 'E: Failed to fetch: 404 Not Found' >&2; exit 100; fi
    for name; do case "$name" in known-*|fresh-*|lib*) touch "$name.deb";; esac; done;;
esac
"""

DPKG = """\
if test -e "$BOX/damaged"; then echo 'dpkg-deb: error: archive is damaged' >&2; exit 2; fi
mkdir -p "$3/usr/bin"; touch "$3/usr/bin/$(basename "$2" .deb)"
"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the stand-ins, what they noted, and the switches for their failures."""
    folder = tmp_path / "box"
    folder.mkdir()
    for name, script in (("apt-cache", APT_CACHE), ("apt-get", APT_GET), ("dpkg", DPKG)):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "$BOX/calls"\n{script}')
        program.chmod(0o755)
    monkeypatch.setenv("BOX", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def _install(tmp_path: Path, *packages: str, libraries: bool = False) -> Path:
    entry = apt.home("tool", tmp_path / "cache")
    apt.install(Apt(packages, "usr/bin/x", libraries), entry, tmp_path / "cache", lambda _: None)
    return entry


def _programs(entry: Path) -> set[str]:
    return {file.name for file in (entry / "usr" / "bin").iterdir()}


def test_packages_are_unpacked_never_installed(box: Path, tmp_path: Path) -> None:
    """The system stays as it is: apt is only asked to download, and no lists are fetched when they are known."""
    assert _programs(_install(tmp_path, "known-server")) == {"known-server"}
    calls = (box / "calls").read_text()
    assert " download " in calls
    assert " install " not in calls
    assert " update " not in calls


def test_only_missing_libraries_come_along(box: Path, tmp_path: Path) -> None:
    """Of what a package depends on, new libraries are fetched; upgrades and programs are not, and the plan is only simulated."""
    assert _programs(_install(tmp_path, "known-server", libraries=True)) == {"known-server", "libnew"}
    assert " install -s " in (box / "calls").read_text()


def test_the_first_known_alternative_is_taken(box: Path, tmp_path: Path) -> None:
    """Names differ between releases; the first that this one has is used."""
    assert _programs(_install(tmp_path, "never-heard|known-server-15|known-server-14")) == {"known-server-15"}
    assert box.is_dir()


def test_unknown_packages_are_looked_for_in_fresh_lists(box: Path, tmp_path: Path) -> None:
    """Where the system has no lists, or old ones, fresh ones are fetched into the cache."""
    assert _programs(_install(tmp_path, "fresh-server")) == {"fresh-server"}
    assert (box / "updated").exists()


def test_a_removed_version_is_looked_up_anew(box: Path, tmp_path: Path) -> None:
    """Old lists name files that the mirror no longer has; after fetching fresh ones the download is tried again."""
    (box / "moved").touch()
    assert _programs(_install(tmp_path, "known-server")) == {"known-server"}


def test_a_package_that_nobody_has_is_named(box: Path, tmp_path: Path) -> None:
    """The sentence names the package and what to check; nothing is left in the cache."""
    with pytest.raises(StackError, match=r"^apt knows no package no-such-thing\. Check that the apt sources"):
        _install(tmp_path, "known-server", "no-such-thing")
    assert not apt.home("tool", tmp_path / "cache").exists()
    assert box.is_dir()


def test_a_damaged_package_leaves_no_entry(box: Path, tmp_path: Path) -> None:
    """What could not be unpacked does not count as installed; the next run begins anew and succeeds."""
    (box / "damaged").touch()
    with pytest.raises(StackError, match=r"^Unpacking known-server\.deb failed: .*archive is damaged.*run again to resume\.$"):
        _install(tmp_path, "known-server")
    assert not apt.home("tool", tmp_path / "cache").exists()
    (box / "damaged").unlink()
    assert _programs(_install(tmp_path, "known-server")) == {"known-server"}
