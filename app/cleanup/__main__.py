"""`python -m app.cleanup` cleans up every night; with a command it does one thing and ends. `nobet` passes these commands on."""

import argparse
import sys

from app.cleanup import backups, commands, process
from app.core.config import ConfigError, Settings, load_settings
from app.core.log_setup import setup_logging, shutdown_logging


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when all went well, 1 when the work failed, 2 when the settings can't be used."""
    given = _parser().parse_args(arguments)
    try:
        settings = load_settings() if given.command == "serve" else load_settings(log_stdout=False)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if given.command == "serve":
        return process.serve(settings)
    setup_logging(settings, "cleanup")
    try:
        return _by_hand(given, settings)
    finally:
        shutdown_logging()


def _by_hand(given: argparse.Namespace, settings: Settings) -> int:
    if given.command == "run":
        return commands.clean_up(settings, dry_run=given.dry_run)
    if given.command == "list":
        return commands.list_archives(settings)
    if given.command == "note-backup":
        facts = {name: getattr(given, name) for name in ("seconds", "size", "count", "name", "failure")}
        return backups.note(settings, **facts)
    if given.command == "verify":
        return commands.verify(settings, given.names)
    return commands.bring_back(settings, given.name, given.target)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.cleanup", description="Archive and delete expired log indices.")
    parser.set_defaults(command="serve")
    steps = parser.add_subparsers()
    for name, text in (
        ("serve", "every night, for ever (default)"),
        ("run", "now"),
        ("list", "show the archives"),
        ("verify", "read archives back and compare them with their manifests"),
        ("restore", "write an archive into an index"),
        ("note-backup", "note how a backup of the stack went; `nobet backup` does that"),
    ):
        step = steps.add_parser(name, help=text)
        step.set_defaults(command=name)
        if name == "run":
            step.add_argument("--dry-run", action="store_true", help="only say what would go")
        elif name == "verify":
            step.add_argument("names", nargs="*", help="indices or archives; all without any")
        elif name == "restore":
            step.add_argument("name", help="the index, or an archive as `list` names it")
            step.add_argument("--as", dest="target", default="", help="another name for the index")
        elif name == "note-backup":
            _add_facts(step)
    return parser


def _add_facts(step: argparse.ArgumentParser) -> None:
    step.add_argument("--seconds", type=float, default=0.0, help="how long it took")
    step.add_argument("--size", type=int, default=0, help="its bytes")
    step.add_argument("--count", type=int, default=0, help="its files")
    step.add_argument("--name", default="", help="its name")
    step.add_argument("--failure", default="", help="why there is none")


if __name__ == "__main__":
    sys.exit(main())
