"""The `nobet` command: thin, so that it starts quickly; the work is in `app.stack`."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.core.terminal import Colour
from app.stack.dead_letters import app as dead_letters
from app.stack.doctor.command import doctor
from app.stack.errors import StackError
from app.stack.gateway.command import certificate
from app.stack.grafana_command import app as grafana
from app.stack.mode import Mode
from app.stack.options import ModeOption
from app.stack.rename_command import rename

if TYPE_CHECKING:
    from rich.console import Console

    from app.stack.stack import Stack

app = typer.Typer(
    name="nobet",
    help="Nöbet, the night watch: start, watch and stop the observability stack.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def up(
    components: Annotated[list[str] | None, typer.Argument(help="Only these components and what they need (native mode).")] = None,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Start the stack, or bring it up to date. Run again, it changes nothing that is in order."""
    from app.stack.actions import run_up

    with _interruptible("What has started keeps running: `make up` goes on, `make down` stops it."):
        run_up(_stack(), _console(), mode, components or None)


@app.command()
def down(
    components: Annotated[
        list[str] | None, typer.Argument(help="Only these components; `up` with the same names starts them again.")
    ] = None,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Stop the whole stack, or some components to see what happens. The data stays."""
    from app.stack.actions import run_down

    with _interruptible("What has not stopped yet keeps running: `make down` goes on."):
        run_down(_stack(), _console(), mode, components or [])


@app.command()
def status(
    mode: ModeOption = Mode.AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show what runs, how healthy it is and what it takes. Exit code 1 when something required is not healthy."""
    from app.stack.actions import run_status

    raise typer.Exit(run_status(_stack(), _console(), mode, as_json=as_json))


@app.command()
def story(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The X-Event-ID of a request, a trace id, a call_sid, or a beginning.")] = "",
    user: Annotated[str, typer.Option(help="Instead of an id: list the requests of this user_id, with --at or --from.")] = "",
    at: Annotated[str, typer.Option(help="When it broke: 14:47, 2:47pm, 2026-11-22T14:47:00.")] = "",
    begin: Annotated[str, typer.Option("--from", help="Or the beginning of a span of time …")] = "",
    end: Annotated[str, typer.Option("--to", help="… and its end. Default: now.")] = "",
    within: Annotated[float, typer.Option(min=0.1, help="Minutes to both sides of --at.")] = 5.0,
    zone: Annotated[str, typer.Option("--tz", help="Time zone of these times, such as Europe/Istanbul.")] = "UTC",
    limit: Annotated[
        int | None, typer.Option(min=0, max=10_000, help="Most records shown; trouble first among them. 0: all. Default: 100.")
    ] = None,
    colour: Annotated[Colour, typer.Option("--color", help="auto: on a terminal, and where FORCE_COLOR is set.")] = Colour.AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts; docs/story.md has its shape.")] = False,
) -> None:
    """Show one request everywhere: verdict, log lines of every service, error events, tracked events, trace.

    Exit code 0: a story. 1: nothing known. 2: the question is unclear. 3: the log store can't be asked.
    """
    _talk_to(_stack())
    from app.stack.story.command import Wanted, run

    raise typer.Exit(run(Wanted(ident, user, at, begin, end, within, zone, limit, as_json, colour)))


@app.command()
def demo(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="Kind of day; --list shows them.")] = "",
    rate: Annotated[float | None, typer.Option(help="Visits per second, at most 100. Default: the scenario's own.")] = None,
    minutes: Annotated[float | None, typer.Option(help="How long, at most 60. Default: the scenario's own.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Show the scenarios and what to look at.")] = False,
    scenario: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Send lifelike traffic with failures in it. It ends by itself; Ctrl-C ends it in order."""
    if list_all:
        from app.core.terminal import screen, show
        from app.stack.demo.report import listing

        show(screen(), lambda console: console.print(listing()))
        return
    stack = _stack()
    _talk_to(stack)
    from app.stack.demo import run
    from app.stack.demo.scenarios import DEFAULT
    from app.stack.environment import demo_environment

    os.environ.update(demo_environment(stack))
    run(name or scenario or DEFAULT, rate, minutes)


@app.command()
def preview(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Listen here instead. Default: 3010.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in a browser.")] = True,
) -> None:
    """Show the dashboards without Grafana: a page on this machine that reads from the running stack. Ctrl-C ends it."""
    from app.core.terminal import screen
    from app.stack.preview.command import preview as serve

    with _interruptible("Nothing was changed; the stack goes on."):
        serve(_stack(), screen(), port, browser=browser)


@app.command()
def token(
    expire: Annotated[
        bool,
        typer.Option(
            "--expire", help="Instead: read a user's access token from standard input and print it as it will be when it is too old."
        ),
    ] = False,
) -> None:
    """Print the bearer token of /metrics. With --expire, make an expired token to try out what becomes of it."""
    stack = _stack()
    if not expire:
        sys.stdout.write(stack.secret("METRICS_TOKEN") + "\n")
        return
    from app.stack.demo.people import expired_or_refused

    sys.stdout.write(expired_or_refused(sys.stdin.read().strip(), stack.settings) + "\n")


@app.command()
def cleanup(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Archive and delete the log indices that are older than LOG_RETENTION_DAYS, now. It also happens every night."""
    _own("cleanup", ["run", *(["--dry-run"] if dry_run else [])], mode)


archive = typer.Typer(help="The encrypted archives of deleted log indices.", no_args_is_help=True)
app.add_typer(archive, name="archive")


@archive.command("list")
def archive_list(mode: ModeOption = Mode.AUTO) -> None:
    """Show the archives, with their documents and sizes."""
    _own("cleanup", ["list"], mode)


@archive.command("verify")
def archive_verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Indices or archives; without any, all.")] = None,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Read archives back, decrypt them, and compare them with their manifests. Exit code 1 when one is not complete."""
    _own("cleanup", ["verify", *(names or [])], mode)


@archive.command("restore")
def archive_restore(
    name: Annotated[str, typer.Argument(help="The index, or an archive as `list` names it.")],
    target: Annotated[str, typer.Option("--as", metavar="INDEX", help="Another name for the index.")] = "",
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Write an archive back into an index. Never touches one that is there."""
    _own("cleanup", ["restore", name, *(["--as", target] if target else [])], mode, ["ELASTICSEARCH_ADMIN_PASSWORD"])


app.add_typer(dead_letters, name="dead-letters")
app.add_typer(grafana, name="grafana")
app.add_typer(certificate, name="certificate")
app.command()(doctor)
app.command()(rename)

backups = typer.Typer(
    help="Save everything of the stack, sealed and read back: `nobet backup`. Bring it back: `nobet restore`.", invoke_without_command=True
)
app.add_typer(backups, name="backup")

ToOption = Annotated[str, typer.Option("--to", metavar="DIR", help="Folder of the backups. Default: BACKUP_DIR.")]
KeyFileOption = Annotated[
    str,
    typer.Option("--key-file", metavar="FILE", help="File with the key, such as the old .env. -: standard input. Default: this stack's."),
]


@backups.callback()
def backup(context: typer.Context, to: ToOption = "", mode: ModeOption = Mode.AUTO) -> None:
    """Save everything of the running stack: stores, secrets, settings. Encrypted, read back, in one folder."""
    if context.invoked_subcommand is not None:
        return
    from app.stack.backup import commands

    with _interruptible("No backup was made; what there was before is untouched."):
        raise typer.Exit(commands.backup(_stack(), mode, to))


@backups.command("list")
def backup_list(to: ToOption = "", as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Show the backups with their ages and sizes."""
    from app.stack.backup import commands

    raise typer.Exit(commands.list_backups(_stack(), to, as_json=as_json))


@backups.command("verify")
def backup_verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Names or folders; without any, the newest.")] = None,
    to: ToOption = "",
    key_file: KeyFileOption = "",
) -> None:
    """Read backups back to the last byte and compare them with their manifests. Exit code 1 when one is not intact."""
    from app.stack.backup import commands

    raise typer.Exit(commands.verify(_stack(), names or [], to, key_file))


@backups.command("key")
def backup_key() -> None:
    """Print the key that opens the backups, to be kept somewhere else."""
    from app.stack.backup import commands

    raise typer.Exit(commands.show_key(_stack()))


@app.command()
def restore(
    name: Annotated[str, typer.Argument(metavar="BACKUP", help="Its folder, or its name in BACKUP_DIR. `newest` takes the last one.")],
    to: Annotated[str, typer.Option("--from", metavar="DIR", help="Folder of the backups. Default: BACKUP_DIR.")] = "",
    key_file: KeyFileOption = "",
    force: Annotated[bool, typer.Option("--force", help="Also where the stack has data; that is put aside.")] = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Bring a backup back into an empty stack: this one, or a new one on another machine. Counts what arrived."""
    from app.stack.backup import commands

    with _interruptible("The stack holds half of a backup: run the same command again, it begins anew."):
        raise typer.Exit(commands.restore(_stack(), mode, "" if name == "newest" else name, to, key_file, force=force))


oncall = typer.Typer(help="Who is called, what about, and the acknowledgement.", no_args_is_help=True)
app.add_typer(oncall, name="oncall")


@oncall.command("check")
def oncall_check(mode: ModeOption = Mode.AUTO) -> None:
    """Read the policy, say what is wrong with it and who would be called now. Sends nothing."""
    _own("oncall", ["check"], mode)


@oncall.command("who")
def oncall_who(mode: ModeOption = Mode.AUTO) -> None:
    """Show who is on call now, and until when."""
    _own("oncall", ["who"], mode)


@oncall.command("list")
def oncall_list(
    everything: Annotated[bool, typer.Option("--all", help="Earlier ones too.")] = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Show the open incidents."""
    _own("oncall", ["list", *(["--all"] if everything else [])], mode)


@oncall.command("ack")
def oncall_ack(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The incident, or the beginning of its id.")],
    who: Annotated[str, typer.Option("--as", help="Your name in the timeline. Default: your user name.")] = "",
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Acknowledge an incident: nobody else is called."""
    _own("oncall", ["ack", ident, *(["--as", who] if who else [])], mode)


@app.command()
def drill(
    alerts: Annotated[list[str] | None, typer.Argument(metavar="[ALERT]...", help="Only these alerts; without any, all.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Show what is done for each alert. Breaks nothing.")] = False,
    scale: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Factor for windows, holding times and waits. Default: 5 minutes are 12 seconds.")
    ] = 0.04,
    here: Annotated[bool, typer.Option("--here", help="On the running native stack, instead of one that is made for the drill.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the drill's own stack running: the next drill with --keep begins soon.")
    ] = False,
    end: Annotated[bool, typer.Option("--end", help="End the stack that --keep left, and do nothing else.")] = False,
    report: Annotated[
        str, typer.Option(metavar="FILE", help="Write the report here. Default, when all are drilled: docs/drill-report.md.")
    ] = "",
) -> None:
    """Break things on purpose and watch each alert arrive and end. Everything is undone, after Ctrl-C too.

    Exit code 1 when an alert did not come or did not go, or when a rule was never seen firing. Development and test only.
    """
    from app.stack.drill import command

    if list_all:
        raise typer.Exit(command.show_list())
    if end:
        raise typer.Exit(command.end(_stack()))
    with _interruptible("Every fault is undone."):
        raise typer.Exit(command.run(_stack(), alerts or [], scale, Path(report) if report else None, here=here, keep=keep))


@app.command("erase-user")
def erase_user(
    user_id: Annotated[str, typer.Argument(metavar="ID", help="The user, as `user_id` of the records has it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Erase what the stores know about a user: log records, tracked events, dead letters. Close the account first."""
    from app.stack.own_command import run_own

    def run(*more: str) -> int:
        secrets = ("ANALYTICS_KEY", "ANALYTICS_OLD_KEYS", "DATABASE_URL")
        return run_own(_stack(), mode, "cleanup", [*more, "--", user_id], secrets, module="app.erasure")

    if dry_run or not yes:
        code = run("--dry-run")
        if dry_run or code:
            raise typer.Exit(code)
        typer.confirm("Erase all of this for good?", abort=True)
    raise typer.Exit(run())


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
) -> None:
    """Stop the native stack and remove its state: data, logs, downloads. `.env` stays."""
    from app.stack.clean import clean as remove
    from app.stack.clean import what_would_go

    stack = _stack()
    entries = what_would_go(stack)
    for path, size in entries:
        sys.stdout.write(f"{size / 1024**2:9.1f} MiB  {path}\n")
    if not entries:
        sys.stdout.write(f"Nothing to remove in {stack.paths.root}.\n")
    elif not dry_run and (yes or typer.confirm("Stop the stack and remove all of this?")):
        remove(stack)
        sys.stdout.write("Removed. `make up` starts anew.\n")


def main() -> None:
    """Entry point: failures are one sentence on standard error and exit code 1."""
    with _one_sentence():
        app(prog_name="nobet")


@contextmanager
def _one_sentence() -> Iterator[None]:
    from app.core.config import ConfigError

    try:
        yield
    except (StackError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


@contextmanager
def _interruptible(advice: str) -> Iterator[None]:
    """Say what Ctrl-C left behind. Exit code 130, as shells have it."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. {advice}\n")
        raise typer.Exit(130) from None


def _stack() -> "Stack":
    from app.stack.stack import open_stack

    return open_stack()


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 160  # a pipe has no width; tables must not be cut for it
    return console


def _own(component: str, arguments: list[str], mode: Mode, secrets: Sequence[str] = ()) -> None:
    from app.stack.own_command import run_own

    raise typer.Exit(run_own(_stack(), mode, component, arguments, secrets))


def _talk_to(stack: "Stack") -> None:
    """Let the settings of this process point at the stack, wherever the command is run."""
    from app.stack.environment import client_environment

    os.environ.update(client_environment(stack))


if __name__ == "__main__":
    main()
