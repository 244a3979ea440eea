"""The commands `up`, `down` and `status`, in either mode: what they do and what they print at the end."""

import json
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict

from rich.console import Console

from app.stack.errors import StackError
from app.stack.memory import PROMISED_BYTES
from app.stack.mode import Mode, effective
from app.stack.stack import Stack


def run_up(stack: Stack, console: Console, mode: Mode, names: Collection[str] | None) -> None:
    """Start, then show what runs where. Raises StackError."""
    begin = time.monotonic()
    if effective(mode, stack) is Mode.COMPOSE:
        _compose_up(stack, console, names)
        return
    from app.stack.status import native_status
    from app.stack.tables import print_up
    from app.stack.up import seconds_since, up

    if stack.paths.restoring.exists():
        raise StackError(
            "A restore of this stack was interrupted, so it holds half of a backup. Run `nobet restore` again; it begins anew."
        )
    if not (stack.paths.cache / "apt").is_dir():
        console.print("First start: servers are fetched once, which takes some minutes. Later starts take seconds.", highlight=False)
    changed = up(stack, console, names)
    console.print(
        f"Up after {seconds_since(begin)}.\n" if changed else "Everything runs already; nothing to do.\n", style="bold", highlight=False
    )
    statuses = native_status(stack)
    print_up(console, stack, [status for status in statuses if not names or status.state not in ("stopped", "skipped")])


def run_down(stack: Stack, console: Console, mode: Mode, names: Sequence[str] = ()) -> None:
    """Stop everything, or the named components, then say what stays. Raises StackError."""
    begin = time.monotonic()
    if names:
        _stop_some(stack, mode, names)
        console.print(f"Stopped: {', '.join(names)}. The rest runs on; `nobet up {' '.join(names)}` undoes it.", highlight=False)
        return
    if effective(mode, stack) is Mode.COMPOSE:
        from app.stack.compose import compose_down

        compose_down(stack)
        console.print("Stopped; the volumes stay. `make up` goes on with them.", highlight=False)
        return
    from app.stack.down import down
    from app.stack.up import seconds_since

    stopped = down(stack, console)
    text = f"Stopped after {seconds_since(begin)}; the data stays. `make up` goes on with it." if stopped else "Nothing was running."
    console.print(text, highlight=False)


def _stop_some(stack: Stack, mode: Mode, names: Sequence[str]) -> None:
    if effective(mode, stack) is Mode.COMPOSE:
        from app.stack.compose import compose_stop

        compose_stop(stack, names)
    else:
        from app.stack.down import stop_components

        stop_components(stack, names)


def run_status(stack: Stack, console: Console, mode: Mode, *, as_json: bool) -> int:
    """Show the state; returns the exit code, 1 when something required is not healthy."""
    if effective(mode, stack) is Mode.COMPOSE:
        return _compose_status(stack, console, as_json=as_json)
    from app.stack.status import native_status
    from app.stack.tables import print_status

    statuses = native_status(stack)
    fine = all(status.is_fine for status in statuses)
    if as_json:
        memory = sum(status.memory_bytes for status in statuses)
        report = {
            "mode": "native",
            "healthy": fine,
            "memory_bytes": memory,
            "memory_promised_bytes": PROMISED_BYTES,
            "components": [asdict(status) for status in statuses],
        }
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        return 0 if fine else 1
    if all(status.state in ("stopped", "skipped") for status in statuses):
        console.print("The stack is not running. Start it: make up", highlight=False)
        return 1
    print_status(console, statuses)
    if not fine:
        bad = ", ".join(status.name for status in statuses if not status.is_fine)
        console.print(f"Not in order: {bad}. Logs: {stack.paths.log}. `make up` starts what is missing.", style="red", highlight=False)
    return 0 if fine else 1


def _compose_up(stack: Stack, console: Console, names: Collection[str] | None) -> None:
    if names:
        raise StackError("Single components can be started in native mode only: MODE=native, or `docker compose up -d NAME`.")
    from app.stack.compose import compose_status, compose_up
    from app.stack.tables import print_compose

    compose_up(stack)
    print_compose(console, stack, compose_status(stack))


def _compose_status(stack: Stack, console: Console, *, as_json: bool) -> int:
    from app.stack.compose import compose_status, is_healthy
    from app.stack.tables import print_compose

    services = compose_status(stack)
    fine = bool(services) and all(is_healthy(service) for service in services)
    if as_json:
        sys.stdout.write(json.dumps({"mode": "compose", "healthy": fine, "services": services}, indent=2) + "\n")
    else:
        print_compose(console, stack, services)
    return 0 if fine else 1
