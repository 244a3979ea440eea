"""`make drill`: drill every rule on a stack of its own, then see that what is empty while all is well was not empty meanwhile.

Writes docs/drill-report.md. Exits 1 when an alert or a panel was not proven.
"""

import datetime as dt
import subprocess
import sys
import time
from typing import Final

from app.core.terminal import screen
from app.stack.drill.own import kept_stack
from app.stack.drill.report import PANELS_HEADING
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.stack import open_stack
from tests.drilled.panels import Shown, look
from tests.support.grafana.sources import Window

REPORT: Final = CHECKOUT / "docs" / "drill-report.md"
NOBET: Final = (sys.executable, "-m", "app.cli", "drill")


def main() -> int:
    """0 when everything was proven."""
    subprocess.run([*NOBET, "--end"], check=False, capture_output=True)  # what an earlier drill kept has data of its own
    began = time.time()
    drilled = subprocess.run([*NOBET, "--keep", "--report", str(REPORT)], check=False).returncode
    try:
        seen = _panels(Window(began, time.time()))
        with REPORT.open("a", encoding="utf-8") as report:
            report.write(table(seen))
    finally:
        subprocess.run([*NOBET, "--end"], check=True)
    return 1 if drilled or any(shown.at is None for shown in seen) else 0


def _panels(drill: Window) -> list[Shown]:
    console = screen()
    console.print("\nPanels that are empty while all is well:")
    seen: list[Shown] = []
    for shown in look(kept_stack(open_stack()), drill):
        seen.append(shown)
        mark, when = ("✓", _clock(shown.at)) if shown.at else ("✗", "never had data")
        console.print(f"{mark} {shown.query.board}: {shown.query.name}  {when}", soft_wrap=True, markup=False)
    return seen


def table(seen: list[Shown]) -> str:
    """The part of the report about panels."""
    lines = ["", PANELS_HEADING, ""]
    lines += ["As Grafana asks, with what a person sees who looks at the last five minutes all through the drill.", ""]
    lines += ["| dashboard | panel / query | empty because | first with data (UTC) |", "|---|---|---|---|"]
    lines += [
        f"| {shown.query.board} | {shown.query.name} | {shown.reason} | {_clock(shown.at) if shown.at else '**never**'} |" for shown in seen
    ]
    return "\n".join(lines) + "\n"


def _clock(at: float | None) -> str:
    return dt.datetime.fromtimestamp(at or 0, dt.UTC).strftime("%H:%M:%S")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StackError as error:
        sys.exit(f"{error}")
