"""What the rules that a Prometheus has loaded read and compare, as probes."""

import time
from pathlib import Path
from typing import Any, Final

import yaml

from tests.config.promql import compared, metric_names, selectors
from tests.support.grafana.sources import Sources, last
from tests.support.lively import Probe
from tests.support.processes import CHECKOUT

DECLARED_EMPTY: Final = CHECKOUT / "prometheus" / "empty_when_healthy.yml"
LOOK_BACK_SECONDS: Final = 3600.0
ASK_AGAIN_SECONDS: Final = 2.0
Key = tuple[str, str, str]


def declared_empty(path: Path = DECLARED_EMPTY) -> dict[str, dict[str, str]]:
    """`series` and `rules` that may have no data while all is well: name → why."""
    declared: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return declared


def loaded_rules(sources: Sources) -> list[dict[str, Any]]:
    """The rules as Prometheus has loaded them, scaled windows and all."""
    return [rule for group in sources.prometheus("rules")["groups"] for rule in group["rules"]]


def rule_probes(sources: Sources) -> list[tuple[Key, Probe, bool]]:
    """For each rule: it is evaluated without an error, its series exist, and what it compares or records has a value."""
    declared, healths = declared_empty(), _Healths(sources)
    found: dict[Key, tuple[Probe, bool]] = {}
    for rule in loaded_rules(sources):
        name, expr = rule["name"], rule["query"]
        excused = name in declared["rules"]
        found["health", name, expr] = healths.probe(name, expr), True
        for selector in selectors(expr):
            found["series", name, selector] = _series(sources, selector), not metric_names(selector) & set(declared["series"])
        parts = compared(expr) if rule["type"] == "alerting" else [expr]
        for part in parts:
            found["value", name, part] = _value(sources, part), not excused
    return [(key, probe, waited_for) for key, (probe, waited_for) in found.items()]


class _Healths:
    """What Prometheus says about the evaluation of its rules; asked now and then."""

    def __init__(self, sources: Sources) -> None:
        self._sources: Final = sources
        self._asked = 0.0
        self._rules: list[dict[str, Any]] = []

    def probe(self, name: str, expr: str) -> Probe:
        """Says what is wrong with a rule."""

        def probe() -> str:
            if time.monotonic() - self._asked > ASK_AGAIN_SECONDS:
                self._asked, self._rules = time.monotonic(), loaded_rules(self._sources)
            found = [rule for rule in self._rules if (rule["name"], rule["query"]) == (name, expr)]
            return "; ".join(rule.get("lastError") or rule["health"] for rule in found if rule["health"] != "ok")

        return probe


def _series(sources: Sources, selector: str) -> Probe:
    def probe() -> str:
        window = last(LOOK_BACK_SECONDS)
        there = sources.prometheus("series", **{"match[]": selector, "start": window.start, "end": window.end})
        return "" if there else f"no series {selector}"

    return probe


def _value(sources: Sources, part: str) -> Probe:
    def probe() -> str:
        return "" if sources.promql(part) else f"no value of {part}"

    return probe
