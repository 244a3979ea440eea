"""Building the preview's page: once for each state of its sources, and a clear sentence where it can't be."""

from pathlib import Path

import pytest

from app.stack.errors import StackError
from app.stack.preview import bundle


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page's sources, small enough to change."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "tsconfig.json", "build.mjs", "index.html", "src/main.tsx"):
        (folder / name).write_text(name)
    monkeypatch.setattr(bundle, "PROJECT", folder)
    return folder


def test_a_change_of_the_sources_makes_a_new_page(project: Path, tmp_path: Path) -> None:
    """The built page is never older than its sources."""
    before = bundle.bundle_folder(tmp_path)
    assert bundle.bundle_folder(tmp_path) == before
    (project / "src" / "main.tsx").write_text("changed")
    assert bundle.bundle_folder(tmp_path) != before


def test_what_is_built_is_not_built_again(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start asks neither Node nor npm, which may be gone by then."""
    assert project.is_dir()
    monkeypatch.setenv("PATH", "")
    bundle.bundle_folder(tmp_path).mkdir()
    assert bundle.build(tmp_path, print) == bundle.bundle_folder(tmp_path)


def test_a_machine_without_node_is_told_what_to_install(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that names what is missing and what to do; nothing half-built stays."""
    assert project.is_dir()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StackError, match=r"Node 20 or later and npm\. Install them"):
        bundle.build(tmp_path, print)
    assert not bundle.bundle_folder(tmp_path).exists()


def test_an_old_node_is_named(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version that is too old is in the sentence."""
    assert project.is_dir()
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text("#!/bin/sh\necho v16.1.0\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(node.parent))
    with pytest.raises(StackError, match=r"v16\.1\.0"):
        bundle.build(tmp_path, print)


def test_the_lock_file_names_no_registry() -> None:
    """Whoever builds the page uses the registry that their npm is set to."""
    assert '"resolved"' not in (bundle.PROJECT / "package-lock.json").read_text()
