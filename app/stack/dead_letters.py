"""`nobet dead-letters`: passes its words on to `app.shipper.letters`, with the rights of the cleanup, and asks before anything goes."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from app.stack.mode import Mode
from app.stack.options import ModeOption

app = typer.Typer(help="Records that Elasticsearch refused for good: look at them, send them again, delete them.", no_args_is_help=True)

IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="ID", help="These letters only, as `list` names them.")]
ReasonOption = Annotated[str, typer.Option(help="Only these: rejected, malformed, too_large or server_error.")]
DayOption = Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Only records of this UTC day.")]
ServiceOption = Annotated[str, typer.Option(help="Only records of this service_name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

NOTHING_FITS: Final = 3
"""Exit code of a preview without anything in it, so that nobody is asked whether to delete nothing."""


@app.command("list")
def list_letters(
    reason: ReasonOption = "",
    day: DayOption = None,
    service: ServiceOption = "",
    limit: Annotated[int, typer.Option(min=0, help="Most letters shown, the newest records first. 0: all.")] = 20,
    as_json: JsonOption = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Show the dead letters, and how many there are for each reason."""
    _pass_on(["list", f"--limit={limit}", *_flags(json=as_json), *_chosen(None, reason, day, service)], mode)


@app.command("show")
def show_letter(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The letter, as `list` names it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Print nothing but the refused line.")] = False,
    as_json: JsonOption = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Show one dead letter: why it was refused, where it stood, and the whole line."""
    _pass_on(["show", *_flags(raw=raw, json=as_json), "--", ident], mode)


@app.command()
def replay(
    idents: IdsArgument = None,
    reason: ReasonOption = "",
    day: DayOption = None,
    service: ServiceOption = "",
    repair: Annotated[bool, typer.Option("--repair", help="Put fields that do not fit the mapping under `extra`.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent, and where to.")] = False,
    as_json: JsonOption = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Send the lines again; without ids or options, all of them. Made twice, it stores a record once.

    A letter goes when Elasticsearch has its record. What is refused again stays, with the reason; the exit code is 1 then.
    """
    flags = {"repair": repair, "dry_run": dry_run, "json": as_json}
    _pass_on(["replay", *_flags(**flags), *_chosen(idents, reason, day, service)], mode, ["ELASTICSEARCH_SHIPPER_PASSWORD"])


@app.command()
def drop(
    idents: IdsArgument = None,
    reason: ReasonOption = "",
    day: DayOption = None,
    service: ServiceOption = "",
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Delete letters for good, with the lines in them. Shows what would go and asks first."""
    words = ["drop", *_flags(all=everything)]
    chosen = _chosen(idents, reason, day, service)
    if dry_run:
        _pass_on([*words, "--dry-run", *chosen], mode)
    if not yes:
        code = _run([*words, "--preview", *chosen], mode)
        if code:
            raise typer.Exit(0 if code == NOTHING_FITS else code)
        typer.confirm("Delete these for good?", abort=True)
    _pass_on([*words, *chosen], mode)


def _chosen(idents: Sequence[str] | None, reason: str, day: dt.datetime | None, service: str) -> list[str]:
    given = {"reason": reason, "day": f"{day:%Y-%m-%d}" if day else "", "service": service}
    return [*(f"--{name}={value}" for name, value in given.items() if value), *(["--", *idents] if idents else [])]


def _flags(**given: bool) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name, value in given.items() if value]


def _pass_on(words: Sequence[str], mode: Mode, secrets: Sequence[str] = ()) -> None:
    raise typer.Exit(_run(words, mode, secrets))


def _run(words: Sequence[str], mode: Mode, secrets: Sequence[str] = ()) -> int:
    from app.stack.own_command import run_own
    from app.stack.stack import open_stack

    return run_own(open_stack(), mode, "cleanup", words, secrets, module="app.shipper.letters")
