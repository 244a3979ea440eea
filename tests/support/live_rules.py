"""What the rules that a Prometheus has loaded read and compare, as probes."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import yaml

from tests.config.promql import Matchers, compared, selected, shown
from tests.support.grafana.sources import Sources, last
from tests.support.lively import Probe, for_a_moment
from tests.support.processes import CHECKOUT

DECLARED_EMPTY: Final = CHECKOUT / "prometheus" / "empty_when_healthy.yml"

LOOK_BACK_SECONDS: Final = 3600.0
"""A series that was there within the hour exists: a target may be down for a moment."""

Key = tuple[str, str, str]


def declared_empty(path: Path = DECLARED_EMPTY) -> dict[str, dict[str, str]]:
    """`series` and `rules` that may have no data while all is well: name → why."""
    declared: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return declared


def rule_probes(sources: Sources) -> list[tuple[Key, Probe, bool]]:
    """For each rule: it is evaluated without an error, its series exist, and what it compares or records has a value."""
    declared, loaded = declared_empty(), _Loaded(sources)
    found: dict[Key, tuple[Probe, bool]] = {}
    for rule in loaded.rules():
        name, expr = rule["name"], rule["query"]
        found["health", name, expr] = loaded.health(name, expr), True
        for metric, matchers in selected(expr):
            found["series", name, shown(metric, matchers)] = loaded.exists(metric, matchers), metric not in declared["series"]
        waited_for = name not in declared["rules"]
        if rule["type"] == "recording":
            found["value", name, expr] = loaded.exists(name, ()), waited_for
            continue
        for part in compared(expr):
            found["value", name, part] = _value(sources, part), waited_for
    return [(key, probe, waited_for) for key, (probe, waited_for) in found.items()]


class _Loaded:
    """The rules and series of a Prometheus; hundreds of probes share one answer of it for a moment."""

    def __init__(self, sources: Sources) -> None:
        self.rules: Final = for_a_moment(lambda: [rule for group in sources.prometheus("rules")["groups"] for rule in group["rules"]])
        read = {metric for rule in self.rules() for metric, _ in selected(rule["query"])}
        recorded = {rule["name"] for rule in self.rules() if rule["type"] == "recording"}
        self._series: Final = for_a_moment(lambda: _by_name(sources, read | recorded))

    def health(self, name: str, expr: str) -> Probe:
        """Says what is wrong with the evaluation of a rule."""

        def probe() -> str:
            found = [rule for rule in self.rules() if (rule["name"], rule["query"]) == (name, expr)]
            return "; ".join(rule.get("lastError") or rule["health"] for rule in found if rule["health"] != "ok")

        return probe

    def exists(self, name: str, matchers: Matchers) -> Probe:
        """Says which selector finds no series."""

        def probe() -> str:
            there = any(_fits(labels, matchers) for labels in self._series().get(name, []))
            return "" if there else f"no series {shown(name, matchers)}"

        return probe


def _by_name(sources: Sources, names: set[str]) -> dict[str, list[dict[str, str]]]:
    """The series of all metrics that rules read or record."""
    window = last(LOOK_BACK_SECONDS)
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    which = f'{{__name__=~"{"|".join(sorted(names))}"}}'
    for labels in sources.prometheus("series", **{"match[]": which, "start": window.start, "end": window.end}):
        found[labels["__name__"]].append(labels)
    return found


def _fits(labels: dict[str, str], matchers: Matchers) -> bool:
    for name, operator, wanted in matchers:
        value = labels.get(name, "")
        same = re.fullmatch(wanted, value) is not None if "~" in operator else value == wanted
        if same is operator.startswith("!"):
            return False
    return True


def _value(sources: Sources, part: str) -> Probe:
    def probe() -> str:
        return "" if sources.promql(part) else f"no value of {part}"

    return probe
