"""Puts panels on a dashboard: the first screen, then rows with titles, all numbered in order."""

from collections.abc import Sequence
from itertools import count

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator.shared import Panel


def fill(board: d.Dashboard, first: Sequence[Panel], *rows: tuple[str, Sequence[Panel]]) -> d.Dashboard:
    """The dashboard with `first` at its top, then each row: (title, panels)."""
    numbers = count(1)
    for panel in first:
        board.with_panel(panel.id(next(numbers)))
    for title, panels in rows:
        board.with_row(d.Row(title).id(next(numbers)))
        for panel in panels:
            board.with_panel(panel.id(next(numbers)))
    return board
