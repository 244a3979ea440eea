"""Shows how a start or stop goes on: a live table on a terminal, plain lines elsewhere."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_DONE: Final = {"ready", "stopped", "runs", "saved", "restored", "intact"}
_BAD: Final = {"failed", "blocked"}
_IDLE: Final = {"waiting", "building"}


@dataclass(slots=True)
class _Row:
    title: str
    state: str = "waiting"
    detail: str = ""
    changed: float = 0.0


class Progress(Protocol):
    """Where states are reported."""

    def tell(self, name: str, state: str, detail: str = "") -> None:
        """Report the state of one component."""

    def tick(self) -> None:
        """Let time pass on the display."""


class PlainProgress:
    """One line for each change, with the seconds since the begin."""

    def __init__(self, console: Console, titles: dict[str, str]) -> None:
        self._console = console
        self._titles = titles
        self._width = max((len(title) for title in titles.values()), default=0)
        self._begin = time.monotonic()
        self._said: dict[str, tuple[str, str]] = {}

    def tell(self, name: str, state: str, detail: str = "") -> None:
        """Print the line; what was said already, and that a step begins of which more will be said, is no news."""
        said, self._said[name] = self._said.get(name), (state, detail)
        if said != (state, detail) and (detail or state not in ("waiting", "preparing", "installing")):
            line = f"[{time.monotonic() - self._begin:6.1f}s] {self._titles[name]:<{self._width}}  {state}{': ' + detail if detail else ''}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def tick(self) -> None:
        """Nothing: lines that are printed stay."""


class LiveProgress:
    """A table that redraws itself."""

    def __init__(self, live: Live, titles: dict[str, str]) -> None:
        self._live = live
        self._begin = time.monotonic()
        self._rows = {name: _Row(title, changed=self._begin) for name, title in titles.items()}
        self._spinner = Spinner("dots", style="cyan")

    def tell(self, name: str, state: str, detail: str = "") -> None:
        """Change a row."""
        row = self._rows[name]
        if row.state != state:
            row.changed = time.monotonic()
        row.state, row.detail = state, detail
        self.tick()

    def tick(self) -> None:
        """Draw the table with the time of now."""
        self._live.update(self._draw())

    def _draw(self) -> RenderableType:
        now = time.monotonic()
        table = Table.grid(padding=(0, 2, 0, 0))
        for row in self._rows.values():
            table.add_row(
                self._mark(row.state),
                row.title,
                Text(row.state, style=_style(row.state)),
                _seconds(row, now),
                Text(row.detail, style="dim"),
            )
        done = sum(row.state in _DONE for row in self._rows.values())
        return Group(table, Text(f"{done}/{len(self._rows)}   {now - self._begin:.0f} s", style="dim"))

    def _mark(self, state: str) -> RenderableType:
        if state in _DONE:
            return Text("✓", style="green")
        if state in _BAD:
            return Text("✗", style="red")
        return Text("·", style="dim") if state in _IDLE else self._spinner


def _style(state: str) -> str:
    return "green" if state in _DONE else "red" if state in _BAD else "dim" if state in _IDLE else "cyan"


def _seconds(row: _Row, now: float) -> Text:
    busy = row.state not in _DONE | _BAD | _IDLE
    return Text(f"{now - row.changed:.0f} s" if busy else "", style="dim", justify="right")


@contextmanager
def progress(console: Console, titles: dict[str, str]) -> Iterator[Progress]:
    """The display that suits the output: live on a terminal, lines in a pipe, a file, or where TERM is dumb."""
    if not console.is_terminal or os.environ.get("TERM") == "dumb":
        yield PlainProgress(console, titles)
        return
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        yield LiveProgress(live, titles)
