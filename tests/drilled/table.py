"""The part of the drill's report about panels, written and read back."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.stack.drill.report import PANELS_HEADING
from tests.drilled.panels import Shown

NEVER: Final = "**never**"

_ROW: Final = re.compile(r"^\| ([^|]+) \| ([^|]+/\w) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Seen:
    """A row: a query of a panel, why it may be empty, and when it was first seen with data."""

    board: str
    query: str
    reason: str
    at: str
    """Minute in UTC, or NEVER."""


def row_of(shown: Shown) -> Seen:
    """The row for what was seen."""
    at = dt.datetime.fromtimestamp(shown.at, dt.UTC).strftime("%Y-%m-%d %H:%M") if shown.at else NEVER
    return Seen(shown.query.board, shown.query.name, shown.reason, at)


def table(seen: Sequence[Seen]) -> str:
    """The text, from its heading on."""
    lines = ["", PANELS_HEADING, ""]
    lines += ["As Grafana asks, with what a person sees who looks at the last five minutes all through the drill.", ""]
    lines += ["| dashboard | panel / query | empty because | first with data (UTC) |", "|---|---|---|---|"]
    lines += [f"| {one.board} | {one.query} | {one.reason} | {one.at} |" for one in seen]
    return "\n".join(lines) + "\n"


def read_table(report: str) -> dict[tuple[str, str], Seen]:
    """Dashboard and query → the row that a report has of it."""
    _, _, panels = report.partition(PANELS_HEADING)
    rows = (Seen(*match.groups()) for match in _ROW.finditer(panels))
    return {(row.board, row.query): row for row in rows}
