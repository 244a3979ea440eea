"""Names: which can be taken, and what becomes of a text."""

import subprocess
from pathlib import Path

import pytest

from app.stack import rename
from app.stack.errors import StackError
from app.stack.rename import NAME, REPOSITORY, TITLE, Names, check_names, is_clean, planned
from app.stack.rename_command import _of_remote

ACME = Names("acme", "Acme Watch")


def _checkout(folder: Path, **files: str) -> Path:
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    subprocess.run(["git", "-C", str(folder), "add", "--all"], check=True)
    return folder


def test_every_form_of_the_name_is_replaced() -> None:
    """Command, title, variable, header: each in its own spelling."""
    text = f"{TITLE}: {NAME} up, {NAME.upper()}_TOKEN, {NAME.capitalize()}-Signature, logs-{NAME}-2026.01.01"
    assert ACME.applied(text) == "Acme Watch: acme up, ACME_TOKEN, Acme-Signature, logs-acme-2026.01.01"


def test_links_go_on_leading_somewhere() -> None:
    """The repository is replaced as a whole, or not at all."""
    link = f"https://github.com/{REPOSITORY}/blob/main/docs/runbook.md"
    assert ACME.applied(link) == link
    assert Names("acme", "Acme", "we/watch").applied(link) == "https://github.com/we/watch/blob/main/docs/runbook.md"


@pytest.mark.parametrize(
    "name", ["Acme", "ac", "acme-watch", "4acme", "acme_watch", "averyverylongname", "redis", "app", "class", "json", NAME]
)
def test_a_name_that_would_break_something_is_refused(name: str) -> None:
    """What means something here, in Python or in its library already."""
    with pytest.raises(StackError, match=name):
        check_names(Names(name, "Acme"))


@pytest.mark.parametrize("names", [Names("acme", 'A"b'), Names("acme", "Acme", "nowhere"), Names("acme", "x" * 31)])
def test_a_title_or_a_repository_that_would_break_something_is_refused(names: Names) -> None:
    """They stand in quotes and in links."""
    with pytest.raises(StackError):
        check_names(names)


def test_only_tracked_texts_that_name_it_change(tmp_path: Path) -> None:
    """The licence and the history stay as they are, files are moved when their name has it, pictures are left alone."""
    checkout = _checkout(
        tmp_path,
        **{f"{NAME}__yml": "x", "other__txt": f"{NAME} {NAME}", "fine__txt": "nothing", "LICENSE": NAME, "picture__png": f"\0{NAME}"},
    )
    (checkout / "untracked.txt").write_text(NAME)
    changes = {str(change.path): (str(change.to), change.count) for change in planned(checkout, ACME)}
    assert changes == {f"{NAME}.yml": ("acme.yml", 0), "other.txt": ("other.txt", 2)}
    assert not is_clean(checkout)


def test_without_git_nothing_is_guessed(tmp_path: Path) -> None:
    """Which files are the project's only git knows."""
    with pytest.raises(StackError, match="no git checkout"):
        planned(tmp_path, ACME)


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/we/watch.git", "we/watch"),
        ("git@github.com:we/watch.git", "we/watch"),
        ("ssh://git@git.example/we/watch", "we/watch"),
        ("/srv/git/watch.git", ""),
    ],
)
def test_the_repository_of_the_remote(tmp_path: Path, url: str, repository: str) -> None:
    """Taken from where the clone came from, when that is a forge."""
    _checkout(tmp_path)
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", url], check=True)
    assert _of_remote(tmp_path) == repository


def test_the_constants_are_the_projects() -> None:
    """They are rewritten with everything else, so that a renamed clone can be renamed again."""
    text = Path(rename.__file__).read_text(encoding="utf-8")
    assert 'NAME: Final = "acme"' in ACME.applied(text)
    assert 'TITLE: Final = "Acme Watch"' in ACME.applied(text)
