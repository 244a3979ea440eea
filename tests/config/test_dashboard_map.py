"""The dashboards together: each subject has one, each link leads somewhere, colours mean the same everywhere."""

import json
import re
from typing import Any

import pytest

from app.stack.components.metrics import GRAFANA
from prometheus.generator.slo import load_objectives
from tests.config.files import DASHBOARDS, compose
from tests.config.promql import metric_names
from tests.support.processes import CHECKOUT

BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS.glob("*.json")}
EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)

PALETTE = {"blue", "light-blue", "orange", "red", "purple", "dark-purple", "text", "transparent"}
"""No green: who sees no red and green tells all of these apart."""

SUBJECTS: dict[str, tuple[str, ...]] = {
    "api-performance": ("http_requests_total", "http_request_duration_seconds_bucket", "db_query_duration_seconds_bucket"),
    "error-rate": ("http_requests_errors_total", "http_requests_total", "http_exceptions_total"),
    "system": (
        "system_cpu_usage_percent",
        "system_memory_usage_percent",
        "system_disk_usage_percent",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_heap_bytes",
        "node_disk_read_bytes_total",
        "node_disk_written_bytes_total",
        "node_filesystem_avail_bytes",
        "node_network_receive_bytes_total",
        "node_network_transmit_bytes_total",
        "node_netstat_Tcp_CurrEstab",
    ),
    "general-system-health": (
        "up",
        "probe_success",
        "dependency_up",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "service:http_requests_errors:ratio_rate5m",
        "endpoint:probe_success:avg30d",
    ),
    "performance-analysis": (
        "asr_processing_duration_ms_bucket",
        "llm_ttft_duration_ms_bucket",
        "tts_processing_duration_ms_bucket",
        "end_to_end_turn_duration_ms_bucket",
    ),
    "workflow-analysis": (
        "calls_total",
        "tasks_executed_total",
        "average_call_duration_seconds",
        "tracked_events_total",
        "logins_total",
        "auth_token_errors_total",
    ),
    "slo": ("slo:error_budget_remaining:ratio", "slo:sli_error:ratio_rate30d", "slo:objective:ratio", "slo:burn_rate:ratio1h"),
    "oncall": ("oncall_acknowledge_seconds_sum", "oncall_resolve_seconds_sum", "oncall_notifications_total", "alertmanager_silences"),
    "stores": ("pg_up", "redis_up", "elasticsearch_cluster_health_status", "db_queries_total", "db_pool_connections"),
}
"""Dashboard → metrics that the sources of this project want to see there."""


def _read(board: dict[str, Any]) -> set[str]:
    targets = [target for panel in board["panels"] for target in panel.get("targets", []) if "expr" in target]
    return set().union(*(metric_names(target["expr"]) for target in targets))


@pytest.mark.req("DSH-01", "DSH-02", "DSH-03", "DSH-05", "DSH-06", "DSH-07", "DSH-13", "DSH-14")
@pytest.mark.req("SYS-01", "SYS-02", "SYS-03", "SYS-04", "SYS-05", "SYS-06", "SYS-07", "BIZ-04", "LAT-06", "UPT-03", "SLO-07", "ACC-08")
@pytest.mark.parametrize(("name", "wanted"), SUBJECTS.items(), ids=SUBJECTS)
def test_each_subject_has_its_dashboard(name: str, wanted: tuple[str, ...]) -> None:
    """The metrics that must be seen have a panel where people look for them."""
    assert set(wanted) <= _read(BOARDS[name])


@pytest.mark.req("DSH-09")
def test_overview_is_the_home_dashboard_in_both_ways_to_run() -> None:
    """Who opens Grafana sees whether users are hurt, natively and with Compose."""
    homes = {
        compose()["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"],
        GRAFANA.env["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"],
    }
    assert {home.rpartition("/")[2] for home in homes} == {"overview.json"}
    assert "overview" in BOARDS


def test_links_between_dashboards_lead_to_one_that_exists() -> None:
    """No link ends at "dashboard not found", and overview leads to every other one, by a panel or by the drop-down of all."""
    known = {board["uid"] for board in BOARDS.values()}
    linked = {uid for board in BOARDS.values() for uid in re.findall(r"/d/([a-z-]+)", json.dumps(board))}
    assert linked <= known
    assert len({board["title"] for board in BOARDS.values()}) == len(known) == len(BOARDS)
    assert all(any(link.get("tags") == ["nobet"] for link in board["links"]) for board in BOARDS.values())


@EACH_BOARD
def test_colours_are_told_apart_without_red_and_green(board: dict[str, Any]) -> None:
    """Blue is well, orange is near a limit, red is beyond: no state is told by green against red."""
    found = re.findall(r'"(?:color|fixedColor|iconColor)": "([^"]+)"', json.dumps(board))
    assert {colour for colour in found if not colour.startswith("rgba(")} <= PALETTE


@EACH_BOARD
def test_variables_that_can_be_chosen_are_used(board: dict[str, Any]) -> None:
    """A choice that changes nothing misleads."""
    text = json.dumps({"panels": board["panels"], "annotations": board["annotations"], "variables": board["templating"]})
    for variable in board["templating"]["list"]:
        assert re.search(rf"\$\{{?{variable['name']}\b", text), variable["name"]


@EACH_BOARD
def test_panels_of_a_dashboard_are_told_apart_by_their_titles(board: dict[str, Any]) -> None:
    """Who names a panel to somebody else means one panel; a number and the panel that explains it may share a title."""
    titles = [(panel["title"], panel["type"]) for panel in board["panels"] if panel["type"] != "row"]
    assert sorted(titles) == sorted(set(titles))


@pytest.mark.req("SLO-01", "SLO-02", "SLO-03", "SLO-04", "SLO-05", "SLO-06")
def test_the_slo_dashboard_follows_the_one_place_where_objectives_stand() -> None:
    """The colour of each objective's number changes at the objective itself; burn rates have the factors of the alerts as lines."""
    objectives = load_objectives()
    panels = {panel["title"]: panel for panel in BOARDS["slo"]["panels"]}
    shown = [slo for slo in objectives.slos if slo.title in panels]
    assert len(shown) >= 5
    for slo in shown:
        steps = [step["value"] for step in panels[slo.title]["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert slo.objective in steps
    for pair in {pair.long: pair for slo in objectives.slos for tier in slo.tiers for pair in tier.pairs}.values():
        panel = panels.get(f"Burn rate over {pair.long}")
        if panel:
            assert pair.factor in [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert {"Burn rate over 1h", "Burn rate over 6h", "Burn rate over 3d"} <= set(panels)


def test_the_page_about_dashboards_names_each_and_answers_each_question() -> None:
    """Who looks for a dashboard finds it by its question; the thirty questions about quality are all answered, with where to see it."""
    page = (CHECKOUT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+\?) \| \*\*([^*]+)\*\* \(`([a-z-]+)`\) \|$", page, re.MULTILINE)
    assert {row[1:] for row in rows} == {(board["title"], board["uid"]) for board in BOARDS.values()}
    questions = {board["uid"]: board["description"] for board in BOARDS.values()}
    assert all(questions[uid].startswith(question) for question, _, uid in rows)
    answers = re.findall(r"^\| (\d+) \| .+ \| .+ \| .+ \|$", page, re.MULTILINE)
    assert [int(number) for number in answers] == list(range(1, 31))
    tests = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_[a-z_]+)`", page):
        assert f"def {name}(" in tests
