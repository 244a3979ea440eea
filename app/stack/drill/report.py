"""docs/drill-report.md: what was provoked, how long the way to people took, and what nobody has ever seen firing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.stack.drill.arena import Arena
from app.stack.drill.catalogue import UNPROVABLE
from app.stack.drill.model import Rule
from app.stack.drill.pace import scrape_seconds
from app.stack.drill.rows import Row, read_rows, rows_of, table_of, together, unproven
from app.stack.drill.run import Result

PANELS_HEADING: Final = "## Panels that are empty while all is well"
"""Begins what `make drill` adds about dashboards."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the on-call service measured meanwhile."""

    acknowledge_seconds: float | None
    resolve_seconds: float | None

    @classmethod
    def of(cls, arena: Arena) -> "Facts":
        """Means over the whole run."""

        def mean(metric: str) -> float | None:
            return arena.chain.value(f"sum({metric}_sum) / sum({metric}_count)")

        return cls(mean("oncall_acknowledge_seconds"), mean("oncall_resolve_seconds"))


def write_report(path: Path, results: Sequence[Result], rules: Sequence[Rule], scale: float, facts: Facts, *, whole: bool) -> None:
    """Write the report of a run. One of some alerts only replaces their rows in a report that is there already."""
    before = "" if whole or not path.exists() else path.read_text("utf-8")
    rows = together(read_rows(before), rows_of(results))
    _, heading, panels = before.partition(PANELS_HEADING)
    text = report(rows, unproven(rules, rows), scale, facts)
    path.write_text(f"{text}\n{heading}{panels}" if heading else text, encoding="utf-8")


def report(rows: Sequence[Row], left: Sequence[Rule], scale: float, facts: Facts) -> str:
    """The report as Markdown."""
    proven = sum(not row.failed for row in rows)
    lines = [
        "# Drill report",
        "",
        "<!-- Written by `make drill`. -->",
        "",
        f"{proven} of {len(rows)} provoked alerts went all the way: the rule fired, Alertmanager had it, somebody was told, the fault",
        "was undone, and the end was told, too. *fires* and *told* are seconds after the fault, *over* and *said so* seconds after its",
        "end. *Told* means mail, Slack and, for critical ones, PagerDuty, whichever came last. The last column says when its run ended:",
        "`make drill` sees all in one run, `nobet drill ALERT --report docs/drill-report.md` sees some again.",
        "",
        f"Windows and holding times of the rules and Alertmanager's waits were multiplied by {scale:g} (and by the factor in the table",
        f"where there is one), and Prometheus scraped every {scrape_seconds(scale)} s. In production an alert takes longer by its",
        "holding time.",
        "",
        f"Mean time to acknowledge {_seconds(facts.acknowledge_seconds)}, to resolve {_seconds(facts.resolve_seconds)}, as the",
        "on-call service measured them in the last run; the drill itself acknowledged.",
        "",
        *table_of(rows),
        "",
        "A name with a number is a limit of `prometheus/thresholds.yml` that was moved for the time of the drill, because the",
        "real one would harm the machine. The fault is real, only smaller.",
        "",
        "## Unproven",
        "",
    ]
    lines += [
        f"- `{rule.alert}` {rule.severity} {rule.service}".rstrip() + f": {UNPROVABLE.get(rule.alert, 'no drill saw the whole chain')}"
        for rule in left
    ]
    lines += [] if left else ["None."]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1f} s"
