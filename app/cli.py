"""The `nobet` command: thin, so that it starts quickly; the work is in `app.stack`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from app.stack.errors import StackError
from app.stack.mode import Mode

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

ModeOption = Annotated[
    Mode, typer.Option(help="native: processes of this machine. compose: containers. auto: containers where Docker answers.")
]


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
    ident: Annotated[str, typer.Argument(metavar="ID", help="The X-Event-ID of a request, or its trace id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show one request everywhere: log lines of every service and its trace."""
    _talk_to(_stack())
    from app.stack.story import run

    raise typer.Exit(run(ident, as_json))


@app.command()
def demo(
    scenario: Annotated[str, typer.Option(help="Kind of traffic; an unknown one lists them.")] = "busy",
    rate: Annotated[float | None, typer.Option(help="Requests per second. Default: the scenario's own.")] = None,
    minutes: Annotated[float | None, typer.Option(help="How long. Default: until Ctrl-C.")] = None,
) -> None:
    """Send lifelike traffic with failures in it. Ctrl-C ends it."""
    _talk_to(_stack())
    from app.stack.demo import run

    run(scenario, rate, minutes)


@app.command()
def token() -> None:
    """Print the bearer token of /metrics."""
    sys.stdout.write(_stack().secret("METRICS_TOKEN") + "\n")


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


def _talk_to(stack: "Stack") -> None:
    """Let the settings of this process point at the stack, wherever the command is run."""
    from app.stack.environment import client_environment

    os.environ.update(client_environment(stack))


if __name__ == "__main__":
    main()
