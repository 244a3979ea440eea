"""The drill's report: what a run writes, and what a later one of some alerts leaves of it."""

from pathlib import Path

from app.stack.drill.catalogue import DRILLS
from app.stack.drill.model import Drill, Rule
from app.stack.drill.proof import Proof
from app.stack.drill.report import PANELS_HEADING, Facts, write_report
from app.stack.drill.rows import Row, read_rows, rows_of, together, unproven
from app.stack.drill.run import Result

FACTS = Facts(1.5, None)
RULES = [Rule("RedisDown", "critical"), Rule("ShipperHeld", "critical")]


def _drill(alert: str) -> Drill:
    return next(drill for drill in DRILLS if drill.proves[0].alert == alert)


def _result(alert: str, failure: str = "") -> Result:
    drill = _drill(alert)
    return Result(drill, [Proof(expected, with_receivers=True, failure=failure) for expected in drill.proves])


def _rows(report: Path) -> dict[str, Row]:
    return {row.alert.strip("`"): row for row in read_rows(report.read_text("utf-8"))}


def test_what_was_written_can_be_read_again(tmp_path: Path) -> None:
    """Every row of every drill survives the way through the file, failures with several lines and all."""
    results = [_result(drill.proves[0].alert, "it said:\n  | no |" if number % 2 else "") for number, drill in enumerate(DRILLS)]
    write_report(tmp_path / "report.md", results, RULES, 0.04, FACTS, whole=True)
    assert read_rows((tmp_path / "report.md").read_text("utf-8")) == together([], rows_of(results))


def test_some_alerts_drilled_again_replace_their_rows_only(tmp_path: Path) -> None:
    """The others, and what was found about panels, stay; the sum is of all."""
    report = tmp_path / "report.md"
    write_report(report, [_result("RedisDown"), _result("ShipperHeld", "never came")], RULES, 0.04, FACTS, whole=True)
    panels = f"{PANELS_HEADING}\n\n| dashboard | panel |\n"
    report.write_text(f"{report.read_text('utf-8')}\n{panels}", "utf-8")
    assert _rows(report)["ShipperHeld"].failed
    write_report(report, [_result("ShipperHeld")], RULES, 0.04, FACTS, whole=False)
    assert not _rows(report)["ShipperHeld"].failed
    assert "RedisDown" in _rows(report)
    assert report.read_text("utf-8").endswith(panels)
    assert "## Unproven\n\nNone.\n" in report.read_text("utf-8")


def test_a_whole_run_begins_anew(tmp_path: Path) -> None:
    """Rows of an earlier run don't pass for this one's."""
    report = tmp_path / "report.md"
    write_report(report, [_result("RedisDown")], RULES, 0.04, FACTS, whole=True)
    write_report(report, [_result("ShipperHeld")], RULES, 0.04, FACTS, whole=True)
    assert "RedisDown" not in _rows(report)
    assert "- `RedisDown` critical: no drill saw the whole chain" in report.read_text("utf-8")


def test_a_failed_row_proves_nothing() -> None:
    """A rule is unproven until a row of it went all the way."""
    rows = together(rows_of([_result("RedisDown")]), rows_of([_result("RedisDown", "never came"), _result("ShipperHeld")]))
    assert unproven(RULES, rows) == [RULES[0]]
