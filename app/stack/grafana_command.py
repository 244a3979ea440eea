"""`nobet grafana`: who may sign in to Grafana, and as what."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.core.terminal import screen
from app.stack.grafana_roles import Role

if TYPE_CHECKING:
    from app.stack.grafana_people import GrafanaPeople
    from app.stack.stack import Stack

app = typer.Typer(help="People who may sign in to Grafana: look at them, add, remove.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What they sign in with.")]


@app.command("list")
def list_people() -> None:
    """Show everybody and their role."""
    _, people = _grafana()
    for name, role in people.listed():
        screen().print(f"{role:8}{name}")


@app.command()
def add(
    name: NameArgument,
    role: Annotated[
        Role, typer.Option(help="viewer: looks. editor: makes own dashboards and alerts. admin: everything, people too.")
    ] = Role.VIEWER,
) -> None:
    """Let somebody sign in, or give somebody another role. The password of a new person is shown once."""
    stack, people = _grafana()
    password = people.put(name, role)
    console = screen()
    if password:
        console.print(f"{name} is {role.value} now. Password, shown only this once: {password}")
        console.print("They change it under Profile, Change password.")
    else:
        console.print(f"{name} was there already and is {role.value} now; the password stays.")
    console.print(f"Sign in: {stack.settings.grafana_url}")


@app.command()
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Take somebody's account away. Their dashboards stay."""
    _, people = _grafana()
    if dry_run:
        there = dict(people.listed())
        screen().print(f"{name}, {there[name]}, would go." if name in there else f"Grafana knows nobody called {name}.")
        return
    if not yes:
        typer.confirm(f"Take away the account of {name}?", abort=True)
    people.remove(name)
    screen().print(f"{name} can no longer sign in. `nobet grafana list` shows who can.")


def _grafana() -> "tuple[Stack, GrafanaPeople]":
    from app.stack.grafana_people import GrafanaPeople
    from app.stack.stack import open_stack

    stack = open_stack()
    return stack, GrafanaPeople(stack.url("grafana"), stack.settings.grafana_admin_user, stack.secret("GRAFANA_ADMIN_PASSWORD"))
