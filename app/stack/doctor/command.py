"""`nobet doctor`."""

import sys
from typing import Annotated

import typer

from app.core.terminal import Colour, screen
from app.stack.mode import Mode, effective
from app.stack.options import ModeOption


def doctor(
    only: Annotated[list[str] | None, typer.Argument(metavar="[CHECK]...", help="Only these rows or groups; --list shows them.")] = None,
    mode: ModeOption = Mode.AUTO,
    production: Annotated[bool, typer.Option("--production", help="Instead: is it safe to let others reach this stack?")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="Show the checks. Looks at nothing.")] = False,
    colour: Annotated[Colour, typer.Option("--color", help="auto: on a terminal, and where FORCE_COLOR is set.")] = Colour.AUTO,
) -> None:
    """Look at the machine and walk every path of the running stack; name the cause and the fix of each break.

    Changes nothing. It sends one request, one mail to the stack's own inbox and one event to the stack's own error tracker.
    Exit code 0: nothing is broken. 1: something is. 2: there is no such check.
    """
    from app.stack.doctor.production import production_checks
    from app.stack.doctor.report import as_json as document
    from app.stack.doctor.report import is_healthy, print_end, print_result
    from app.stack.doctor.walk import all_checks, look
    from app.stack.stack import open_stack

    console = screen(colour)
    checks = production_checks() if production else all_checks()
    if list_all:
        for check in checks:
            console.print(f"{check.group:<12}{check.name}")
        return
    unknown = [word for word in only or () if not any(word in (check.name, check.group) for check in checks)]
    if unknown:
        sys.stderr.write(f"There is no check {', '.join(unknown)}. `nobet doctor --list` shows them.\n")
        raise typer.Exit(2)
    stack = open_stack()
    from app.stack.doctor.model import Scene

    scene = Scene(stack, effective(mode, stack))
    chosen = [check for check in checks if not only or check.name in only or check.group in only]
    results = []
    for result in look(chosen, scene):
        results.append(result)
        if not as_json:
            print_result(console, result)
    if as_json:
        sys.stdout.write(document(scene, results) + "\n")
    else:
        print_end(console, results)
    raise typer.Exit(0 if is_healthy(results) else 1)
