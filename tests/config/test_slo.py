"""The service level objectives: one file says them, and everything else follows."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.config import Settings
from prometheus.generator.groups.slo import LONG_WINDOWS, SHORT_WINDOWS
from prometheus.generator.model import parse_duration
from prometheus.generator.slo import SLO_FILE, load_objectives
from tests.config.files import alerts, load, rules_of

DECLARED: dict[str, Any] = load(SLO_FILE)


@pytest.mark.req("SLO-01", "SLO-02", "SLO-03", "SLO-04", "SLO-05")
@pytest.mark.parametrize(
    ("name", "objective", "within"),
    [
        ("availability", 0.999, None),
        ("errors", 0.999, None),
        ("errors-limit", 0.99, None),
        ("latency", 0.95, 0.2),
        ("latency-p50", 0.5, 0.2),
        ("latency-p95", 0.95, 0.5),
        ("latency-p99", 0.99, 1),
        ("turn-latency", 0.95, 1000),
    ],
)
def test_objectives_have_the_documents_values(name: str, objective: float, within: float | None) -> None:
    """What the source documents promise is what is measured."""
    assert (DECLARED["slos"][name]["objective"], DECLARED["slos"][name].get("within")) == (objective, within)
    assert {"labels": {"slo": name}, "record": "slo:objective:ratio", "expr": f"vector({objective:g})"} in rules_of()


@pytest.mark.req("SLO-06")
def test_a_changed_objective_changes_what_is_derived(tmp_path: Path) -> None:
    """Objective and limit are read from the file, wherever it is."""
    slos = {slo.name: slo for slo in load_objectives(_with(tmp_path, "latency", objective=0.99, within=0.3)).slos}
    assert slos["latency"].budget == pytest.approx(0.01)
    assert 'le="0.3"' in slos["latency"].bad


@pytest.mark.req("SLO-02")
def test_a_limit_between_two_edges_is_refused(tmp_path: Path) -> None:
    """A share that could only be guessed stops the generator."""
    with pytest.raises(ValueError, match="no edge"):
        load_objectives(_with(tmp_path, "latency", within=0.21))


@pytest.mark.parametrize("objective", [0, 1, 1.5])
def test_an_objective_without_budget_or_work_is_refused(tmp_path: Path, objective: float) -> None:
    """100 % leaves no budget to burn, 0 % is no promise."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        load_objectives(_with(tmp_path, "errors", objective=objective))


@pytest.mark.req("SLO-07")
def test_prometheus_keeps_what_the_windows_need() -> None:
    """No window is longer than the retention."""
    retention = parse_duration(Settings.model_fields["prometheus_retention"].default)
    assert max(parse_duration(window) for window in (*LONG_WINDOWS, *SHORT_WINDOWS)) <= retention


@pytest.mark.req("SLO-07")
def test_every_window_of_a_tier_is_recorded() -> None:
    """No burn alert reads a window that nobody records."""
    recorded = {rule["record"] for rule in rules_of() if "record" in rule}
    for slo in load_objectives().slos:
        for pair in (pair for tier in slo.tiers for pair in tier.pairs):
            assert {f"slo:burn_rate:ratio{pair.long}", f"slo:burn_rate:ratio{pair.short}"} <= recorded


def test_no_tier_asks_for_more_than_everything() -> None:
    """A factor that no share of bad events can reach is left out: P50 has no page and no factor 3."""
    median = next(slo for slo in load_objectives().slos if slo.name == "latency-p50")
    assert [[pair.factor for pair in tier.pairs] for tier in median.tiers] == [[1.0]]
    assert all(pair.factor * slo.budget < 1 for slo in load_objectives().slos for tier in slo.tiers for pair in tier.pairs)


def test_pages_have_a_ticket_tier_too() -> None:
    """What burns too slowly for a page is still told."""
    names = {alert["alert"] for alert in alerts()}
    for slo in load_objectives().slos:
        assert slo.alert + "Ticket" in names


def _with(folder: Path, name: str, **changes: float) -> Path:
    document = load(SLO_FILE)
    document["slos"][name] |= changes
    path = folder / "slo.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path
