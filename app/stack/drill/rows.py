"""The rows of the drill's report: made of a run, read from an earlier report, put together."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.stack.drill.catalogue import DRILLS
from app.stack.drill.model import Drill, Expected, Rule
from app.stack.drill.run import Result
from app.stack.drill.table import times_of

_WAYS: Final = {
    "page": "on-call service",
    "direct": "Alertmanager's own mail",
    "record": "Alertmanager only",
    "held": "held back by its cause",
    "heartbeat": "its absence is told",
    "unsent": "the fault cuts its way",
}
_FAILED: Final = "**failed: "
_HEAD: Final = ("alert", "severity", "provoked by", "way", "fires", "told", "over", "said so", "", "UTC")


class Row(NamedTuple):
    """One alert of one drill, as the report shows it."""

    alert: str
    severity: str
    how: str
    way: str
    fires: str
    told: str
    over: str
    said_so: str
    remark: str
    seen: str

    @property
    def key(self) -> tuple[str, ...]:
        """What it is about, whenever it was seen."""
        return self[:4]

    @property
    def failed(self) -> bool:
        """Whether the alert did not come, or did not go."""
        return self.remark.startswith(_FAILED)


def rows_of(results: Sequence[Result]) -> list[Row]:
    """The rows of a run that is over now."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M")
    rows = []
    for result in results:
        remark = f"×{result.drill.scale:g} " if result.drill.scale != 1 else ""
        remark += ", ".join(f"`{name}` {value:.4g}" for name, value in result.limits.items())
        for proof in result.proofs:
            said = f"{_FAILED}{' '.join(proof.failure.replace('|', '/').split())}**" if proof.failure else remark.strip()
            rows.append(Row(*_key(result.drill, proof.expected), *times_of(proof), said, now))
    return rows


def read_rows(report: str) -> list[Row]:
    """The rows of a report. What has another form is no row."""
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in report.splitlines() if line.startswith("| `")]
    return [Row(*found) for found in cells if len(found) == len(Row._fields)]


def together(earlier: Sequence[Row], now: Sequence[Row]) -> list[Row]:
    """For each alert of the catalogue the newest row, in its order. A row of a drill that there is no more is left out."""
    known = {row.key: row for row in (*earlier, *now)}
    return [known[key] for drill, expected in _catalogue() if (key := _key(drill, expected)) in known]


def unproven(rules: Sequence[Rule], rows: Sequence[Row]) -> list[Rule]:
    """Rules of which no row saw the whole chain."""
    well = {row.key for row in rows if not row.failed}
    proven = [expected for drill, expected in _catalogue() if _key(drill, expected) in well]
    return [rule for rule in rules if not any(rule.is_proven_by(expected) for expected in proven)]


def table_of(rows: Sequence[Row]) -> list[str]:
    """The lines of the table, in Markdown."""
    rule = "|---|---|---|---|--:|--:|--:|--:|---|---|"
    return [f"| {' | '.join(_HEAD)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def _catalogue() -> Iterator[tuple[Drill, Expected]]:
    return ((drill, expected) for drill in DRILLS for expected in drill.proves)


def _key(drill: Drill, expected: Expected) -> tuple[str, str, str, str]:
    service = expected.labels.get("service", "")
    return f"`{expected.alert}` {service}".rstrip(), expected.severity, drill.how, _WAYS[expected.way]
