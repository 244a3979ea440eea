"""The tables that end a command."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.stack.components import COMPONENTS
from app.stack.memory import PROMISED_BYTES
from app.stack.stack import Stack
from app.stack.status import HEALTHY, ComponentStatus

_STYLES = {
    HEALTHY: "green",
    "building": "cyan",
    "starting": "cyan",
    "skipped": "dim",
    "stopped": "yellow",
    "unhealthy": "red",
    "failed": "red",
}


def print_up(console: Console, stack: Stack, statuses: Sequence[ComponentStatus]) -> None:
    """What runs where, with which login, and what to do next."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("component", "address", "login / password in .env", "state"):
        table.add_column(heading, no_wrap=heading != "state")
    for status in statuses:
        login = "" if status.state == "skipped" else COMPONENTS[status.name].login
        table.add_row(status.title, _address(status), login, _state(status))
    console.print(table)
    _print_next(console, stack)
    for line in _where(stack, statuses):
        console.print(f"       {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"Secrets: {stack.paths.env_file}   logs: {stack.paths.log}", style="dim", markup=False, highlight=False, soft_wrap=True)


def print_status(console: Console, statuses: Sequence[ComponentStatus]) -> None:
    """Health, process, memory and age of each component, and the sum."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("component", "state", "address", "pid", "memory", "up", "restarts"):
        table.add_column(heading, justify="right" if heading in ("pid", "memory", "up", "restarts") else "left", no_wrap=heading != "state")
    for status in statuses:
        runs = status.pid > 0
        table.add_row(
            status.title,
            _state(status),
            _address(status),
            str(status.pid) if runs else "",
            f"{status.memory_bytes / 1024**2:.0f} MiB" if runs else "",
            age(status.uptime_seconds) if runs else "",
            str(status.restarts) if runs else "",
        )
    console.print(table)
    total = sum(status.memory_bytes for status in statuses)
    verdict, style = ("within", "green") if total <= PROMISED_BYTES else ("above", "red")
    console.print(
        f"\nMemory of all: {total / 1024**3:.2f} GiB, {verdict} the promised {PROMISED_BYTES / 1024**3:.0f} GiB",
        style=style,
        highlight=False,
    )


def print_compose(console: Console, stack: Stack, services: Sequence[Mapping[str, Any]]) -> None:
    """What runs where, as Compose tells it."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("service", "address", "state"):
        table.add_column(heading, no_wrap=True)
    for service in sorted(services, key=lambda item: str(item.get("Service"))):
        state = str(service.get("Health") or service.get("State"))
        table.add_row(str(service.get("Service")), _published(service) or "–", Text(state, _STYLES.get(state, "")))
    console.print(table)
    _print_next(console, stack)


def _published(service: Mapping[str, Any]) -> str:
    """Each address once, with its ports: three times the same one would push the state off a screen of 80 columns."""
    ports: dict[str, set[int]] = {}
    for place in service.get("Publishers") or []:
        if place.get("PublishedPort"):
            ports.setdefault(str(place.get("URL") or "0.0.0.0"), set()).add(int(place["PublishedPort"]))
    return ", ".join(f"{host}:" + ", :".join(map(str, sorted(numbers))) for host, numbers in sorted(ports.items()))


def age(seconds: int) -> str:
    """A duration in its largest two units."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    for large, small, units in ((days, hours, "dh"), (hours, minutes, "hm"), (minutes, seconds, "ms")):
        if large:
            return f"{large}{units[0]} {small}{units[1]}"
    return f"{seconds}s"


def _print_next(console: Console, stack: Stack) -> None:
    app = stack.url("app")
    console.print(f"\nNext:  curl -H 'X-Event-ID: abc123' {app}/feed", markup=False, highlight=False, soft_wrap=True)
    console.print("       make story ID=abc123   that request: log lines and trace", markup=False, highlight=False)
    console.print("       make demo              lifelike traffic with failures in it", markup=False, highlight=False)


def _address(status: ComponentStatus) -> str:
    return "–" if status.state == "skipped" else status.address


def _state(status: ComponentStatus) -> Text:
    text = Text(status.state, style=_STYLES.get(status.state, ""))
    if status.detail:
        text.append(f" ({status.detail})", style="dim")
    return text


def _where(stack: Stack, statuses: Sequence[ComponentStatus]) -> list[str]:
    states = {status.name: status.state for status in statuses}
    lines = []
    if states.get("grafana") == HEALTHY:
        lines.append(f"dashboards  {stack.url('grafana')}")
    else:
        lines.append(f"graphs      {stack.url('prometheus')}/graph   (dashboards: install grafana-server and run `make up` again)")
    if states.get("inbox") == HEALTHY:
        lines.append(f"alert mail  {stack.url('inbox')}")
    return lines
