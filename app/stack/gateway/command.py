"""`nobet certificate`: what the gateway shows to people, until when, and what becomes of it."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.stack.mode import Mode, effective
from app.stack.options import ModeOption

if TYPE_CHECKING:
    from app.stack.stack import Stack

certificate = typer.Typer(invoke_without_command=True)

_NO_ACME: Final = "GATEWAY_ACME_EMAIL is not set, so no authority is asked: docs/security.md, Certificates."


@certificate.callback()
def show(context: typer.Context, mode: ModeOption = Mode.AUTO) -> None:
    """Show the gateway's certificate: for which names, by whom, until when, and what is done about its end.

    Exit code 0: it is served and all is well. 1: none is served, it has ended, or GATEWAY_ACME_EMAIL is set and there is none yet.
    """
    if context.invoked_subcommand is not None:
        return
    from app.stack.stack import open_stack

    stack = open_stack()
    code = _served(stack)
    if stack.settings.gateway_acme_email:
        code = _keeper(stack, mode, "show") or code
    raise typer.Exit(code)


@certificate.command()
def renew(
    force: Annotated[
        bool, typer.Option("--force", help="Also when nothing is due, or in the pause after a failure. Authorities count: a few in a week.")
    ] = False,
    mode: ModeOption = Mode.AUTO,
) -> None:
    """Ask the authority now, if it is time. The running stack does so by itself.

    Exit code 0: there is a certificate. 1: it was refused, or a pause is on. 2: GATEWAY_ACME_EMAIL is not set.
    """
    from app.stack.stack import open_stack

    stack = open_stack()
    if not stack.settings.gateway_acme_email:
        sys.stderr.write(f"{_NO_ACME}\n")
        raise typer.Exit(2)
    raise typer.Exit(_keeper(stack, mode, "renew", *(["--force"] if force else [])))


def _served(stack: "Stack") -> int:
    from app.stack.acme.shelf import read
    from app.stack.gateway.served import address_of, served_certificate

    try:
        held = read(served_certificate(stack))
    except OSError as error:
        where = f"{address_of(stack)}:{stack.port('gateway_tls')}"
        sys.stderr.write(f"No certificate is served at {where} ({error.strerror or type(error).__name__}): make up.\n")
        return 1
    names = sorted(held.names, key=lambda name: (name.count("."), name))
    left = held.ends - datetime.now(UTC)
    lines = (
        f"Names      {', '.join(names)}",
        f"By         {'the stack itself; browsers warn of it' if held.self_signed else held.issuer}",
        f"Until      {held.ends:%Y-%m-%d %H:%M UTC}, {f'{left.days} days left' if left.days >= 0 else 'over'}",
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if not stack.settings.gateway_acme_email:
        sys.stdout.write("Renewal    yours: the files of GATEWAY_CERTIFICATE, then make up\n" if stack.settings.gateway_certificate else "")
        sys.stdout.write("" if stack.settings.gateway_certificate else f"Renewal    by make up. {_NO_ACME}\n")
    sys.stdout.flush()
    return 0 if left.days >= 0 else 1


def _keeper(stack: "Stack", mode: Mode, *words: str) -> int:
    from app.stack.components.gateway import ACME_OPTIONS
    from app.stack.own_command import run_own

    # In its container the folders are the defaults.
    places = [] if effective(mode, stack) is Mode.COMPOSE else [stack.expand(option) for option in ACME_OPTIONS]
    return run_own(stack, mode, "acme", [*places, *words], module="app.stack.acme")
