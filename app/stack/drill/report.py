"""docs/drill-report.md: what was provoked, how long the way to people took, and what nobody has ever seen firing."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.stack.drill.arena import Arena
from app.stack.drill.catalogue import UNPROVABLE
from app.stack.drill.model import Rule
from app.stack.drill.pace import scrape_seconds
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


def write_report(path: Path, results: Sequence[Result], left: Sequence[Rule], scale: float, facts: Facts) -> None:
    """Write the report of a run."""
    path.write_text(report(results, left, scale, facts), encoding="utf-8")


def report(results: Sequence[Result], left: Sequence[Rule], scale: float, facts: Facts) -> str:
    """The report as Markdown."""
    proofs = [proof for result in results for proof in result.proofs]
    proven = sum(not proof.failure for proof in proofs)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    lines = [
        "# Drill report",
        "",
        f"<!-- Written by `make drill` on {today}. -->",
        "",
        f"On {today}, {proven} of {len(proofs)} provoked alerts went all the way: the rule fired, Alertmanager had it, somebody was",
        "told, the fault was undone, and the end was told, too. *fires* and *told* are seconds after the fault, *over* and *said so*",
        "seconds after its end. *Told* means mail, Slack and, for critical ones, PagerDuty, whichever came last.",
        "",
        f"Windows and holding times of the rules and Alertmanager's waits were multiplied by {scale:g} (and by the factor in the table",
        f"where there is one), and Prometheus scraped every {scrape_seconds(scale)} s. In production an alert takes longer by its",
        "holding time.",
        "",
        f"Mean time to acknowledge {_seconds(facts.acknowledge_seconds)}, to resolve {_seconds(facts.resolve_seconds)}, as the",
        "on-call service measured them; the drill itself acknowledged.",
        "",
        "| alert | severity | provoked by | way | fires | told | over | said so | |",
        "|---|---|---|---|--:|--:|--:|--:|---|",
    ]
    for result in results:
        remark = f"×{result.drill.scale:g} " if result.drill.scale != 1 else ""
        remark += ", ".join(f"`{name}` {value:.4g}" for name, value in result.limits.items())
        for proof in result.proofs:
            times = " | ".join(times_of(proof))
            expected = proof.expected
            outcome = f"**failed: {proof.failure}**" if proof.failure else remark.strip()
            cells = (f"`{expected.alert}`", expected.severity, result.drill.how, _WAYS[expected.way], times, outcome)
            lines.append(f"| {' | '.join(cells)} |")
    if any(result.limits for result in results):
        lines += [
            "",
            "A name with a number is a limit of `prometheus/thresholds.yml` that was moved for the time of the drill, because the",
        ]
        lines += ["real one would harm the machine. The fault is real, only smaller."]
    lines += ["", "## Unproven", ""]
    lines += [
        f"- `{rule.alert}` {rule.severity} {rule.service}: {UNPROVABLE.get(rule.alert, 'no drill saw the whole chain')}" for rule in left
    ]
    lines += [] if left else ["None."]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1f} s"
