"""The service level objectives of `prometheus/slo.yml`, checked as they are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from app.core.telemetry.metrics import METRICS
from prometheus.generator.model import Severity, parse_duration

SLO_FILE: Final = Path(__file__).parent.parent / "slo.yml"

_SELECTOR: Final = re.compile(r"([a-z_]+)(?:\{(.*)\})?")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows that must both burn faster than `factor` times what the budget allows."""

    long: str
    short: str
    factor: float


@dataclass(frozen=True, slots=True)
class Tier:
    """One way to be told: how bad, over which windows."""

    name: str
    severity: Severity
    pairs: tuple[Pair, ...]
    count: str
    hold: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What the events are counted by, as selectors: of all events and of the bad or the good ones, or of what is up."""

    total: str = ""
    bad: str = ""
    good: str = ""
    up: str = ""


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective. `total` and `bad` are PromQL over a window of five minutes, per service and env."""

    name: str
    title: str
    meaning: str
    objective: float
    total: str
    bad: str
    alert: str
    tiers: tuple[Tier, ...]
    fewest: int
    """Bad events without which nobody is told; 0 for objectives that count time."""
    counted: Counted
    told_by: tuple[str, ...]
    """Alerts that page sooner for the same trouble."""

    @property
    def budget(self) -> float:
        """Share of the events that may be bad."""
        return round(1 - self.objective, 6)


@dataclass(frozen=True, slots=True)
class Objectives:
    """Everything that `slo.yml` says."""

    window: str
    slos: tuple[Slo, ...]


def load_objectives(path: Path = SLO_FILE) -> Objectives:
    """Read the file. Raises ValueError for a limit between two edges of its histogram, an objective that leaves no
    budget or no work, or a window that is no duration; KeyError for names that nobody declares.
    """
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    parse_duration(declared["window"])
    tiers = {name: _tier(name, entry) for name, entry in declared["burn"].items()}
    return Objectives(declared["window"], tuple(_slo(name, entry, tiers) for name, entry in declared["slos"].items()))


def _tier(name: str, entry: Mapping[str, Any]) -> Tier:
    pairs = tuple(Pair(pair["long"], pair["short"], float(pair["factor"])) for pair in entry["windows"])
    return Tier(name, entry["severity"], pairs, entry["count"], entry["hold"], entry["meaning"])


def _slo(name: str, entry: Mapping[str, Any], tiers: Mapping[str, Tier]) -> Slo:
    objective = float(entry["objective"])
    if not 0 < objective < 1:
        raise ValueError(f"slo.yml: the objective of {name} must lie between 0 and 1")
    counted = Counted(up=entry["up"]) if "up" in entry else _counted(name, entry)
    total, bad = _by_time(counted.up) if counted.up else _by_events(counted)
    return Slo(
        name=name,
        title=entry["title"],
        meaning=entry["meaning"],
        objective=objective,
        total=total,
        bad=bad,
        alert=entry["alert"],
        tiers=tuple(tier for tier in (_within_reach(tiers[tier], 1 - objective) for tier in entry["tiers"]) if tier.pairs),
        fewest=entry["fewest"],
        counted=counted,
        told_by=tuple(entry.get("told_by", ())),
    )


def _within_reach(tier: Tier, budget: float) -> Tier:
    """The tier without pairs whose factor no share of bad events could ever reach."""
    reachable = tuple(pair for pair in tier.pairs if pair.factor * budget < 1)
    return Tier(tier.name, tier.severity, reachable, tier.count, tier.hold, tier.meaning)


def _by_time(up: str) -> tuple[str, str]:
    """Shares of time. An answer always counts; none counts once the stack has had the time to start."""
    best = f"max by (service, env) ({up})"
    starting = '(time() - process_start_time_seconds{job="prometheus"} < <seconds 3m>)'
    answered = f"avg_over_time(({best} == 1 or {best} unless on () {starting})[<5m>:<interval>])"
    return f"0 * {answered} + 1", f"1 - {answered}"


def _counted(name: str, entry: Mapping[str, Any]) -> Counted:
    if "histogram" not in entry:
        return Counted(total=entry["total"], bad=entry["bad"])
    metric, _ = _parts(entry["histogram"])
    within = float(entry["within"])
    if within not in METRICS[metric].buckets:
        raise ValueError(f"slo.yml: {name} asks for {within:g}, which is no edge of {metric}: the share would be a guess")
    total = entry.get("total") or _series(entry["histogram"], "_count")
    return Counted(total=total, good=_series(entry["histogram"], "_bucket", f'le="{within}"'))


def _by_events(counted: Counted) -> tuple[str, str]:
    """Events a second. Where no error was ever counted there is no series of errors, and that means none."""
    total = _rate(counted.total)
    if counted.bad:
        return total, f"{_rate(counted.bad)} or 0 * {total}"
    return total, f"{total} - ({_rate(counted.good)} or 0 * {total})"


def _rate(selector: str) -> str:
    return f"sum by (service, env) (rate({selector}[<5m>]))"


def _series(selector: str, suffix: str, *matchers: str) -> str:
    metric, inside = _parts(selector)
    found = ", ".join(part for part in (inside, *matchers) if part)
    return f"{metric}{suffix}{{{found}}}" if found else metric + suffix


def _parts(selector: str) -> tuple[str, str]:
    match = _SELECTOR.fullmatch(selector)
    if match is None:
        raise ValueError(f'slo.yml: {selector!r} is no selector such as http_requests_total{{job="app"}}')
    return match[1], match[2] or ""
