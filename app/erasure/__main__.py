"""`python -m app.erasure USER_ID` erases a user's data; with --dry-run it only counts."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from app.core.config import ConfigError, Settings, load_settings
from app.core.log_setup import setup_logging, shutdown_logging
from app.erasure.erase import Erasure, UserEraser


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when nothing is left or after a look, 1 when something is or a store can't be asked, 2 for unusable settings."""
    parser = argparse.ArgumentParser(prog="python -m app.erasure", description="Erase what the stores know about a user.")
    parser.add_argument("user_id", help="the user's id, as it stands in user_id of the records")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(log_stdout=False)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    setup_logging(settings, "erasure")
    try:
        return _run(settings, given.user_id, dry_run=given.dry_run)
    finally:
        shutdown_logging()


def _run(settings: Settings, user_id: str, *, dry_run: bool) -> int:
    progress = Console(stderr=True, highlight=False)
    eraser = UserEraser(settings, user_id, lambda text: progress.print(text, style="dim"))
    try:
        result = eraser.look() if dry_run else eraser.erase()
    finally:
        eraser.close()
    _print(result, dry_run=dry_run)
    if not eraser.has_keys:
        progress.print("ANALYTICS_KEY is not set: tracked events have no reference to users, so none can be this one's.")
    for problem in result.problems:
        progress.print(problem, style="red")
    if dry_run:
        progress.print("Nothing is erased yet.", style="dim")
        return 1 if result.problems else 0
    if not result.complete:
        progress.print("Not everything is gone. Close the account, mend what is said above, and run this again.", style="red")
        return 1
    return 0


def _print(result: Erasure, *, dry_run: bool) -> None:
    table = Table("store", "found", *(() if dry_run else ("erased", "left")), box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name, found in result.found.items():
        more = () if dry_run else (str(result.erased.get(name, 0)), str(result.left.get(name, "?")))
        table.add_row(name, str(found), *more)
    Console(highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
