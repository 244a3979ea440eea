"""`make drill`: drill every rule on a stack of its own, then see that what is empty while all is well was not empty meanwhile.

Writes docs/drill-report.md. With names of alerts it drills only these and adds what they prove to the report that is there.
Exits 1 when an alert or a panel was not proven.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from app.core.terminal import screen
from app.stack.drill.own import kept_stack
from app.stack.drill.report import PANELS_HEADING
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.stack import open_stack
from tests.drilled.panels import look
from tests.drilled.table import NEVER, Seen, read_table, row_of, table
from tests.support.grafana.sources import Window

REPORT: Final = CHECKOUT / "docs" / "drill-report.md"
NOBET: Final = (sys.executable, "-m", "app.cli", "drill")


def main(alerts: Sequence[str]) -> int:
    """0 when everything was proven."""
    ours = dict(os.environ)  # looking at the drill's stack makes its settings those of this process
    subprocess.run([*NOBET, "--end"], check=False, capture_output=True)  # what an earlier drill kept has data of its own
    earlier = read_table(REPORT.read_text("utf-8")) if alerts else {}
    began = time.time()
    drilled = subprocess.run([*NOBET, *alerts, "--keep", "--report", str(REPORT)], check=False).returncode
    try:
        seen = _panels(Window(began, time.time()), earlier)
        text, _, _ = REPORT.read_text("utf-8").partition(f"\n{PANELS_HEADING}")
        REPORT.write_text(text + table(seen), encoding="utf-8")
    finally:
        subprocess.run([*NOBET, "--end"], check=True, env=ours)
    return 1 if drilled or any(one.at == NEVER for one in seen) else 0


def _panels(drill: Window, earlier: dict[tuple[str, str], Seen]) -> list[Seen]:
    console = screen()
    console.print("\nPanels that are empty while all is well:")
    seen: list[Seen] = []
    for shown in look(kept_stack(open_stack()), drill):
        one = row_of(shown)
        if one.at == NEVER:
            one = earlier.get((one.board, one.query), one)
        seen.append(one)
        mark, when = ("✗", "never had data") if one.at == NEVER else ("✓", one.at)
        console.print(f"{mark} {one.board}: {one.query}  {when}", soft_wrap=True, markup=False)
    return seen


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StackError as error:
        sys.exit(f"{error}")
