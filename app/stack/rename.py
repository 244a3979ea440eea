"""`nobet rename NEW`: gives a clone a name of its own, everywhere at once.

One word stands for the project in all its files: command, package title, prefixes
of indices and metrics, database role, users of Elasticsearch, dashboards,
variables. Renaming replaces that word in every file that git tracks, in their
names too, and writes the generated files anew. The package `app` keeps its name.

NAME and TITLE below are replaced as well, so that a renamed clone can be renamed again.
"""

import importlib.util
import keyword
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.ports import PORTS
from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT

NAME: Final = "nobet"
TITLE: Final = "Nöbet"
REPOSITORY: Final = "nobet-stack/nobet"
"""Where links in alerts and documents lead: owner and name at the forge."""

_FITTING: Final = re.compile(r"[a-z][a-z0-9]{2,11}")
"""It becomes part of variables, modules, host names, roles and indices: what all of them allow."""

_FITTING_TITLE: Final = re.compile(r"\w[\w .&-]{0,29}")
_FITTING_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")

_UNTOUCHED: Final = ("LICENSE", "CHANGELOG.md")
"""Whose work it is and what happened to it: that stays true."""

_CHECKED: Final = "[tool.ruff.lint.mccabe]"
"""Before this section of pyproject.toml the limit is written."""

_WIDER: Final = re.compile(r"\[tool\.ruff\.lint\.pycodestyle\]\nmax-line-length = \d+\n\n")
_HELD: Final = "\x00repository\x00"
_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Change:
    """A file of which the text, the name, or both change."""

    path: Path
    to: Path
    count: int
    """How often the word is in it."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the project is to be called."""

    name: str
    title: str
    repository: str = REPOSITORY

    def applied(self, text: str) -> str:
        """`text` with the new names. A repository is replaced as a whole, so that links go on leading somewhere."""
        held = text.replace(REPOSITORY, _HELD)
        pairs = ((TITLE, self.title), (NAME.upper(), self.name.upper()), (NAME.capitalize(), self.name.capitalize()), (NAME, self.name))
        for old, new in pairs:
            held = held.replace(old, new)
        return held.replace(_HELD, self.repository)


def check_names(names: Names) -> None:
    """Raise StackError, in one sentence, for names that would break something."""
    if not _FITTING.fullmatch(names.name):
        raise StackError(f"{names.name!r} can't be the name: take 3 to 12 small letters and digits, such as acme.")
    if not _FITTING_TITLE.fullmatch(names.title):
        raise StackError(f"{names.title!r} can't be the title: take letters, digits, spaces, dots and dashes, at most 30.")
    if not _FITTING_REPOSITORY.fullmatch(names.repository):
        raise StackError(f"{names.repository!r} is no repository: write OWNER/NAME.")
    if names.name == NAME:
        raise StackError(f"It is called {NAME} already.")
    if _is_taken(names.name):
        raise StackError(f"{names.name} is the name of a component, a module or a word of Python. Take another.")


def _is_taken(name: str) -> bool:
    """Whether the word means something in this code already."""
    known = {*COMPONENTS, *PORTS, *(component.title.lower() for component in COMPONENTS.values())}
    return name in known or keyword.iskeyword(name) or (CHECKOUT / name).exists() or importlib.util.find_spec(name) is not None


def planned(checkout: Path, names: Names) -> list[Change]:
    """What would change, in the order of the paths. Raises StackError where git can't list the files."""
    changes = []
    for path in _tracked(checkout):
        to = Path(names.applied(str(path)))
        text = _text(checkout / path)
        count = 0 if text is None or str(path) in _UNTOUCHED else len(re.findall(f"{NAME}|{TITLE}", text, re.IGNORECASE))
        changed = count > 0 and text is not None and names.applied(text) != text
        if changed or to != path:
            changes.append(Change(path, to, count if changed else 0))
    return changes


def is_clean(checkout: Path) -> bool:
    """Whether everything is committed, so that `git diff` shows the renaming and nothing else."""
    return not _git(checkout, "status", "--porcelain", "--untracked-files=no").strip()


def perform(checkout: Path, names: Names, changes: Sequence[Change], say: Callable[[str], None]) -> None:
    """Rewrite the files, then bring imports, line breaks and generated files into order. Raises StackError."""
    for change in changes:
        text = _text(checkout / change.path)
        if change.count and text is not None:
            (checkout / change.path).write_text(names.applied(text), encoding="utf-8", newline="")
        if change.to != change.path:
            (checkout / change.to).parent.mkdir(parents=True, exist_ok=True)
            (checkout / change.path).rename(checkout / change.to)
    say("Ordering imports and lines …")
    for arguments in (["check", "--quiet", "--fix-only", "."], ["format", "--quiet", "."]):
        _run(checkout, [sys.executable, "-m", "ruff", *arguments], "Formatting")
    _allow_longer_lines(checkout)
    say("Writing the generated files …")
    _run(checkout, ["bash", "scripts/generate.sh", sys.executable], "Generating")
    command = checkout / ".venv" / "bin" / NAME
    if command.exists() and not (checkout / ".venv").is_symlink():
        command.rename(command.with_name(names.name))


def _allow_longer_lines(checkout: Path) -> None:
    """A longer name makes some lines longer than the limit, and no tool breaks texts: the limit of the check follows them.

    The formatter keeps its own, so that nothing else moves.
    """
    config = checkout / "pyproject.toml"
    text = config.read_text(encoding="utf-8")
    limit = int(tomllib.loads(text)["tool"]["ruff"]["line-length"])
    sources = (_text(checkout / path) or "" for path in _tracked(checkout) if path.suffix == ".py")
    longest = max((len(line) for source in sources for line in source.splitlines()), default=0)
    if longest > limit:
        text = _WIDER.sub("", text).replace(_CHECKED, f"[tool.ruff.lint.pycodestyle]\nmax-line-length = {longest}\n\n{_CHECKED}", 1)
        config.write_text(text, encoding="utf-8")


def _tracked(checkout: Path) -> list[Path]:
    return [Path(line) for line in _git(checkout, "ls-files", "-z").split("\0") if line]


def _git(checkout: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS)
    except FileNotFoundError:
        raise StackError("git is not on the PATH; without it nobody knows which files are the project's.") from None
    if done.returncode:
        raise StackError(f"{checkout} is no git checkout ({done.stderr.strip()}): clone it, or `git init` and commit.")
    return done.stdout


def _text(path: Path) -> str | None:
    """The text of a file; None for pictures, links and whatever else is no text."""
    if path.is_symlink() or not path.is_file():
        return None
    data = path.read_bytes()
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _run(checkout: Path, command: list[str], what: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())[-400:]
        raise StackError(f"{what} failed after the files were rewritten: {words}. `git reset --hard` brings the old names back.")
