"""`python -m app.shipper.letters list|show|replay|drop`; `nobet dead-letters` passes its words on."""

import argparse
import datetime as dt
import sys
from typing import Final

from app.clients.dead_letters import DeadLettersError, Selection
from app.core.config import ConfigError, Settings, load_settings
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.telemetry.metrics import METRICS
from app.shipper.letters.commands import COMPONENT, FAILED, Commands
from app.shipper.letters.replay import ReplayError

WRONG_USE: Final = 2
NOTHING_FITS: Final = 3
REASONS: Final = tuple(reason for (reason,) in METRICS["shipper_records_dead_total"].born)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when all went well, 1 when something failed or stays, 2 for wrong use."""
    given = _parser().parse_args(arguments)
    try:
        settings = load_settings(log_stdout=False)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    if problem := _wrong_use(given):
        sys.stderr.write(f"{problem}\n")
        return WRONG_USE
    setup_logging(settings, COMPONENT)
    try:
        return _run(given, settings)
    finally:
        shutdown_logging()


def selection_of(given: argparse.Namespace) -> Selection:
    """Which letters the options name."""
    return Selection(tuple(given.idents), given.reason, given.service, given.day)


def _wrong_use(given: argparse.Namespace) -> str:
    """What is wrong with the options, or nothing."""
    if given.command == "show":
        return ""
    if given.reason and given.reason not in REASONS:
        return f"There is no reason {given.reason}. The reasons are {', '.join(REASONS)}."
    if given.command == "drop" and selection_of(given).is_all != given.all:
        return "Say which: ids, --reason, --day or --service; or --all alone for every dead letter."
    return ""


def _run(given: argparse.Namespace, settings: Settings) -> int:
    commands = Commands(settings)
    try:
        if given.command == "show":
            return commands.show_letter(given.ident, as_json=given.json, raw=given.raw)
        selection = selection_of(given)
        if given.command == "list":
            return commands.list_letters(selection, given.limit, as_json=given.json)
        if given.command == "replay":
            return commands.replay(selection, repair=given.repair, dry_run=given.dry_run, as_json=given.json)
        if given.preview or given.dry_run:
            return commands.would_drop(selection, nothing=NOTHING_FITS if given.preview else 0)
        return commands.drop(selection)
    except (DeadLettersError, ReplayError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        commands.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.shipper.letters", description="Look after the dead letters.")
    steps = parser.add_subparsers(dest="command", required=True)
    show = steps.add_parser("show", help="one letter, its line in full")
    show.add_argument("ident", metavar="ID")
    show.add_argument("--raw", action="store_true", help="nothing but the line")
    show.add_argument("--json", action="store_true")
    for name, text in (("list", "the newest letters"), ("replay", "send lines again"), ("drop", "delete letters for good")):
        step = steps.add_parser(name, help=text)
        step.add_argument("--reason", default="", help=", ".join(REASONS))
        step.add_argument("--service", default="", help="service_name of the record")
        step.add_argument("--day", type=dt.date.fromisoformat, help="UTC day of the record, YYYY-MM-DD")
        if name == "list":
            step.set_defaults(idents=[])
            step.add_argument("--limit", type=int, default=20, help="0: all")
        else:
            step.add_argument("idents", metavar="ID", nargs="*")
            step.add_argument("--dry-run", action="store_true", help="only say what would happen")
        if name == "replay":
            step.add_argument("--repair", action="store_true", help="put fields that do not fit under extra")
        if name == "drop":
            step.add_argument("--preview", action="store_true", help="the same; exit code 3 when nothing fits")
            step.add_argument("--all", action="store_true", help="every dead letter")
        else:
            step.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
