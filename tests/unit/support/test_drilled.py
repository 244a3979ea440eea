"""The table of panels in the drill's report."""

from app.stack.drill.report import PANELS_HEADING
from tests.drilled.table import NEVER, Seen, read_table, table
from tests.support.processes import CHECKOUT

ROWS = [
    Seen("overview", "Alerts/A", "No alert fires while all is well.", "2026-11-22 18:14"),
    Seen("request-story", "Dead letters/A", "Elasticsearch refused no record in the time range.", NEVER),
]


def test_what_was_written_can_be_read_again() -> None:
    """Each row comes back as it was, also from a report with other tables before."""
    text = "| alert | severity |\n|---|---|\n| a/b | c | d | e |\n" + table(ROWS)
    assert read_table(text) == {(row.board, row.query): row for row in ROWS}


def test_the_report_of_the_project_can_be_read() -> None:
    """A later drill of some alerts finds what is known."""
    report = (CHECKOUT / "docs" / "drill-report.md").read_text(encoding="utf-8")
    assert len(read_table(report)) == report.partition(PANELS_HEADING)[2].count("\n| ") - 1  # all lines but the head
