"""The telemetry contract holds for rules, dashboards and runbook: they name only what somebody emits."""

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from app.core.telemetry.fields import FIELDS
from app.core.telemetry.metrics import METRICS
from app.core.telemetry.spans import SPANS
from tests.config.files import DASHBOARDS, RUNBOOK, alerts, load, rules_of
from tests.config.promql import matched_labels, metric_names
from tests.support.processes import CHECKOUT

EXPORTERS: dict[str, list[str]] = load(CHECKOUT / "prometheus" / "exporter_metrics.yml")
TARGET_LABELS = {"job", "instance", "service", "env", "probe", "le"}
"""Labels that a series has from its target rather than from its metric."""


def _exposed() -> set[str]:
    names = set()
    for metric in METRICS.values():
        suffixes = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",)
        names |= {metric.name + suffix for suffix in suffixes}
    return names


OURS = _exposed()
KNOWN = OURS | {name for names in EXPORTERS.values() for name in names} | {rule["record"] for rule in rules_of() if "record" in rule}


def dashboard_queries() -> list[tuple[str, str]]:
    """(where, PromQL) of every panel, variable and annotation."""
    found = []
    for path in DASHBOARDS.glob("*.json"):
        board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for panel in board["panels"]:
            found += [(f"{path.stem}: {panel['title']}", target["expr"]) for target in panel.get("targets", []) if "expr" in target]
        found += [(f"{path.stem}: {note['name']}", note["expr"]) for note in board["annotations"]["list"] if "expr" in note]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query" and variable["datasource"]["type"] == "prometheus":
                inside = re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])
                assert inside
                found.append((f"{path.stem}: ${variable['name']}", inside[1]))
    return found


EXPRESSIONS = [(str(rule.get("alert") or rule["record"]), rule["expr"]) for rule in rules_of()] + dashboard_queries()


@pytest.mark.parametrize(("where", "expr"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_expressions_read_only_metrics_that_somebody_emits(where: str, expr: str) -> None:
    """Each name is in the telemetry contract, a recording rule, or declared with its exporter."""
    names = metric_names(expr)
    assert names or "vector" in expr, where
    assert names <= KNOWN


@pytest.mark.parametrize(("where", "expr"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_expressions_match_only_labels_that_the_metric_has(where: str, expr: str) -> None:
    """A matcher on a label that our metric lacks would silently match nothing."""
    for name, labels in matched_labels(expr):
        if name in OURS:
            declared = METRICS.get(name) or METRICS[name.rsplit("_", 1)[0]]
            assert labels - TARGET_LABELS <= set(declared.labels), (where, name)


def test_every_declared_exporter_metric_is_used() -> None:
    """The list does not gather dust."""
    used = set().union(*(metric_names(expr) for _, expr in EXPRESSIONS))
    assert {name for names in EXPORTERS.values() for name in names} <= used


def test_the_runbook_names_only_metrics_and_log_fields_that_exist() -> None:
    """A woken person is not sent to look for something that nobody writes."""
    spoken = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", RUNBOOK.read_text(encoding="utf-8")))
    reasons = {value for metric in METRICS.values() for values in metric.born for value in values}
    clients = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "app" / "clients").glob("*.py"))
    error_codes = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', clients))
    others = {"nobet_shipper", "nobet_admin"}
    assert spoken <= KNOWN | set(FIELDS) | set(SPANS) | reasons | error_codes | others


def test_the_explorers_links_show_what_the_alert_is_about() -> None:
    """The link of an alert to Explore opens PromQL of known metrics."""
    addresses = [address for alert in alerts() for name, address in alert["annotations"].items() if name in ("dashboard_url", "query_url")]
    links = [unquote(address.partition("panes=")[2]) for address in addresses]
    queries = [json.loads(link)["a"]["queries"][0]["expr"] for link in links if link]
    assert len(queries) > len(alerts()) / 2
    assert all(metric_names(expr) <= KNOWN for expr in queries)


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("sum by (a) (rate(x_total[5m])) / on (b) group_left (c) y", {"x_total", "y"}),
        ('x{job="y"} offset 5m > 0 and absent(z{q=~"a|b"})', {"x", "z"}),
        ("service:x:rate5m > 1e9", {"service:x:rate5m"}),
        ('time() - max by (service) (a or b{c!="d"}) > 300', {"a", "b"}),
    ],
)
def test_names_are_found_in_expressions(expr: str, names: set[str]) -> None:
    """The check itself sees what it must see."""
    assert metric_names(expr) == names
