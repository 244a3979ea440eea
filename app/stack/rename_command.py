"""The command `nobet rename`: shows what would change, asks, does it, and says what is left to do by hand."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.core.terminal import screen

if TYPE_CHECKING:
    from app.stack.rename import Change, Names

_SHOWN = 12


def rename(
    name: Annotated[str, typer.Argument(metavar="NAME", help="3 to 12 small letters and digits: the command, and part of every name.")],
    title: Annotated[str, typer.Option(help="As people read it. Default: the name with a capital.")] = "",
    repository: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Where links lead. Default: the git remote, else as now.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also with uncommitted changes, or with data under the old name.")] = False,
) -> None:
    """Give a clone a name of its own: command, titles, indices, users, dashboards, variables.

    The package `app` and the service names stay, since rules select by them. Looks first: --dry-run.
    Exit code 2: the name can't be taken.
    """
    from app.stack.errors import StackError
    from app.stack.paths import CHECKOUT
    from app.stack.rename import REPOSITORY, Names, check_names, is_clean, perform, planned

    names = Names(name, title or name.capitalize(), repository or _of_remote(CHECKOUT) or REPOSITORY)
    try:
        check_names(names)
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    changes = planned(CHECKOUT, names)
    _show(names, changes)
    if dry_run:
        return
    if not force:
        _refuse_with_data(CHECKOUT)
        if not is_clean(CHECKOUT):
            raise StackError("There are uncommitted changes. Commit them first, so that `git diff` shows the renaming alone; or --force.")
    if not yes:
        typer.confirm("Rewrite these files?", abort=True)
    console = screen()
    perform(CHECKOUT, names, changes, console.print)
    console.print(f"\nIt is {names.title} now, and its command {names.name}.")
    console.print("Look:   git diff --stat")
    console.print("Check:  make lint && make test-unit")
    console.print(f"Next:   touch requirements/dev.txt && make venv   (.venv/bin/{names.name}), then git add -A && git commit, make up")


def _show(names: "Names", changes: "Sequence[Change]") -> None:
    console = screen()
    words = sum(change.count for change in changes)
    moved = [change for change in changes if change.to != change.path]
    console.print(f"{words} places in {len(changes)} files become {names.name} or {names.title}. Links lead to {names.repository}.")
    for change in sorted(changes, key=lambda change: -change.count)[:_SHOWN]:
        console.print(f"{change.count:6}  {change.path}")
    if len(changes) > _SHOWN:
        console.print(f"     …  and {len(changes) - _SHOWN} more files")
    for change in moved:
        console.print(f" moved  {change.path} → {change.to}")


def _of_remote(checkout: Path) -> str:
    """Owner and name of the repository at a forge from which this was cloned; empty when there is none."""
    config = checkout / ".git" / "config"
    text = config.read_text(encoding="utf-8") if config.is_file() else ""
    found = re.search(r"url = (?:https?://|ssh://git@|git@)[\w.-]+[:/](?:\d+/)?([\w.-]+/[\w.-]+?)(?:\.git)?/?\s", text)
    return found[1] if found else ""


def _refuse_with_data(checkout: Path) -> None:
    """What the stores hold carries the old name: database, role, users, indices."""
    from app.stack.errors import StackError
    from app.stack.paths import stack_paths

    paths = stack_paths(Path(".stack"), None, checkout / ".env")
    if paths.data.is_dir() and any(paths.data.iterdir()):
        raise StackError(
            f"{paths.data} holds data under the old name, which the renamed stack would not find. Rename a fresh clone, "
            "or remove it first with `make clean`; --force goes on and leaves it."
        )
