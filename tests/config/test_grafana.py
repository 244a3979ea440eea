"""Grafana: dashboards as they are generated and as a reader needs them, data sources as they are linked."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.telemetry.fields import FIELDS
from grafana.generator.api_queries import share_under
from grafana.generator.render import dashboard_files
from tests.config.files import DASHBOARDS, compose, load, run
from tests.config.test_names import dashboard_queries
from tests.support.processes import CHECKOUT

PROVISIONING = CHECKOUT / "grafana" / "provisioning"
SOURCES: dict[str, dict[str, Any]] = {source["uid"]: source for source in load(PROVISIONING / "datasources" / "nobet.yml")["datasources"]}
BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS.glob("*.json")}
PANELS = [(f"{name}: {panel['title']}", panel) for name, board in BOARDS.items() for panel in board["panels"] if panel["type"] != "row"]
GAUGES = {"pg_locks_count", "pg_stat_activity_count", "elasticsearch_thread_pool_active_count", "elasticsearch_thread_pool_queue_count"}
"""Metrics of exporters that are called like counters and are none."""
EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
EACH_PANEL = pytest.mark.parametrize("panel", [panel for _, panel in PANELS], ids=[name for name, _ in PANELS])


def test_committed_dashboards_are_what_the_generator_writes() -> None:
    """Generating again changes nothing."""
    assert {path.name: path.read_text(encoding="utf-8") for path in DASHBOARDS.glob("*.json")} == dashboard_files()


@pytest.mark.req("DSH-01")
@EACH_BOARD
def test_a_dashboard_states_its_question_and_stays_small(board: dict[str, Any]) -> None:
    """It asks a question, has a stable address, at most 25 panels, at most 8 on the first screen, and nobody edits it by hand."""
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert board["description"].partition("?")[1]
    assert board["uid"].startswith("nobet-")
    assert board["editable"] is False
    assert len(panels) <= 25
    assert len([panel for panel in panels if panel["gridPos"]["y"] < 12]) <= 8
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@EACH_BOARD
def test_a_dashboard_can_be_pointed_elsewhere_and_shows_alerts(board: dict[str, Any]) -> None:
    """Data source and environment are variables, read anew with the time range; alerts and deployments are marked; the runbook linked."""
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert list(variables)[:2] == ["datasource", "env"]
    assert all(variable["refresh"] == 2 for variable in variables.values() if variable["type"] == "query")  # 2: when the time range changes
    assert [note["name"] for note in board["annotations"]["list"]] == ["Alerts", "New versions", "Deployments"]
    assert any(link["url"].endswith("docs/runbook.md") for link in board["links"] if link.get("url"))


@EACH_PANEL
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    """Title, description, unit, and what it says when there is nothing to show."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    if panel["type"] in {"logs", "traces"}:  # both have no numbers, and say themselves that there is nothing
        return
    defaults = panel["fieldConfig"]["defaults"]
    units = [defaults.get("unit"), *(rule["properties"][0]["value"] for rule in panel["fieldConfig"]["overrides"])]
    assert any(units)
    assert defaults["noValue"]


@EACH_PANEL
def test_a_panel_reads_from_the_chosen_sources_with_the_right_windows(panel: dict[str, Any]) -> None:
    """No fixed source, no fixed window under rate(), no filter forgotten, no raw counter."""
    has_service = any("$service" in target.get("expr", "") for target in panel["targets"])
    for target in panel["targets"]:
        if target["datasource"]["type"] in {"elasticsearch", "jaeger"}:
            assert target["datasource"]["uid"] in SOURCES
            continue
        assert target["datasource"]["uid"] == "${datasource}"
        expr = target["expr"]
        windows = set(re.findall(r"\[([^\]]+)\]", re.sub(r'"[^"]*"', "", expr)))
        assert windows <= {"$__rate_interval", "$__range"} or "last_over_time" in expr  # whether there was one at all may look back further
        for selector in re.findall(r"\{([^}]*)\}", expr.replace("${1}", "")):
            assert 'env=~"$env"' in selector
            assert not has_service or 'service=~"$service"' in selector
        for counter in re.findall(r"[a-z_]+_(?:total|bucket|count|sum)\{", expr):
            if counter.rstrip("{") not in GAUGES:
                assert re.search(rf"(rate|increase|count|count by \([a-z_, ]+\) |last_over_time)\({re.escape(counter)}", expr), counter


@pytest.mark.req("HTM-07", "HTM-08", "HTM-09", "HTM-10", "HTM-17", "SLO-02", "SLO-03", "SLO-04", "SLO-05")
def test_all_queries_are_promql(promtool: Path, tmp_path: Path) -> None:
    """Promtool parses every query of every dashboard, with its variables filled in."""
    rules = []
    for number, (where, expr) in enumerate(dashboard_queries()):
        filled = re.sub(r"\$[a-z]+", "x", expr.replace("$__rate_interval", "1m").replace("$__range", "1h"))
        rules.append({"record": f"dashboard:query:{number}", "expr": filled, "labels": {"panel": where}})
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in run(promtool, "check", "rules", path)


@pytest.mark.req("HTM-02", "SLO-02")
def test_shares_are_asked_only_where_the_histogram_knows_them() -> None:
    """A share under a time that is no bucket's edge would be a guess, and is refused."""
    assert 'le="0.2"' in share_under(0.2)
    with pytest.raises(ValueError, match=r"0\.4"):
        share_under(0.4)


@pytest.mark.req("DSR-01", "DSR-02", "DSR-03", "DSR-05")
def test_all_data_sources_are_provisioned_and_linked() -> None:
    """Exemplar to trace, log line to trace, span to log lines, and alerts, each to a source that exists; nobody edits them by hand."""
    assert set(SOURCES) == {"prometheus", "elasticsearch-logs", "elasticsearch-events", "elasticsearch-dead", "jaeger", "alertmanager"}
    assert all(source["editable"] is False and source["access"] == "proxy" for source in SOURCES.values())
    exemplar = SOURCES["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]
    assert (exemplar["name"], exemplar["datasourceUid"]) == ("trace_id", "jaeger")
    assert SOURCES["prometheus"]["jsonData"]["alertmanagerUid"] == "alertmanager"
    assert SOURCES["elasticsearch-logs"]["jsonData"]["dataLinks"][0]["datasourceUid"] == "jaeger"
    assert SOURCES["jaeger"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] == "elasticsearch-logs"


@pytest.mark.parametrize("uid", ["elasticsearch-logs", "elasticsearch-events"])
def test_log_sources_read_fields_that_records_have(uid: str) -> None:
    """Time, message, level and trace come from declared fields."""
    data = SOURCES[uid]["jsonData"]
    assert {data["timeField"], data["logMessageField"], data["logLevelField"], data["dataLinks"][0]["field"]} <= set(FIELDS)


def test_panels_and_explore_place_a_document_at_the_same_time() -> None:
    """A query's time is that of its source, so that a click from a panel finds what the panel showed; a dead letter's is its refusal."""
    asked = {
        (target["datasource"]["uid"], target["timeField"])
        for _, panel in PANELS
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == "elasticsearch"
    }
    sources = {(uid, source["jsonData"]["timeField"]) for uid, source in SOURCES.items() if source["type"] == "elasticsearch"}
    assert asked == sources
    assert ("elasticsearch-dead", "dead_at") in sources


@pytest.mark.req("ACC-07", "CFG-04")
def test_sources_take_addresses_and_the_password_from_the_environment() -> None:
    """The file holds no address and no secret, and Compose gives every variable that it names."""
    text = "".join(path.read_text(encoding="utf-8") for path in PROVISIONING.rglob("*.yml"))
    named = set(re.findall(r"(?<!\$)\$\{(\w+)\}", text))
    environment = {name.removesuffix("__FILE") for name in compose()["services"]["grafana"]["environment"]}
    assert named <= environment
    assert "http" not in re.sub(r"httpMethod", "", "".join(str(source.get("url")) for source in SOURCES.values()))
    assert SOURCES["elasticsearch-logs"]["secureJsonData"] == {"basicAuthPassword": "${GF_NOBET_READER_PASSWORD}"}


@pytest.mark.req("DSH-09")
def test_dashboards_are_provisioned_read_only() -> None:
    """They are there at the first start, in a folder of their own, and change only through the generator."""
    provider = load(PROVISIONING / "dashboards" / "nobet.yml")["providers"][0]
    assert provider["folder"] == "Nöbet"
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True


@pytest.mark.req("ACC-04", "ACC-06")
def test_nobody_enters_grafana_unasked() -> None:
    """No anonymous access, no signing up, and an administrator's password that is made at the first start."""
    environment = compose()["services"]["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_admin_password"
