"""The alert rules: valid, generated, complete, and proven to fire and to stay silent."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.telemetry.metrics import HTTP_BUCKETS, VOICE_BUCKETS
from prometheus.generator.model import BOARDS, THRESHOLDS_FILE, Context, format_duration, parse_duration
from prometheus.generator.render import rule_files, runbook, write
from prometheus.generator.slo_cases import case_files
from tests.config.files import DASHBOARDS, RULE_TESTS, RULES, RUNBOOK, alerts, load, rules_of, run

UIDS = sorted(json.loads(path.read_text(encoding="utf-8"))["uid"] for path in DASHBOARDS.glob("*.json"))

SHORTEST_WINDOW = 4
"""Scrapes that rate() needs."""


def test_promtool_finds_no_fault_in_the_rules(promtool: Path) -> None:
    """Every rule file passes promtool with all lints fatal."""
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *sorted(RULES.glob("*.yml")))


@pytest.mark.req(
    "ALR-01",
    "ALR-03",
    "ALR-04",
    "ALR-05",
    "ALR-06",
    "ALR-07",
    "ALR-08",
    "ALR-09",
    "ALR-10",
    "ALR-11",
    "ALR-12",
    "ALR-13",
    "ALR-14",
    "ALR-17",
    "ALR-18",
    "ALR-19",
    "ALR-21",
    "UPT-02",
    "UPT-03",
    "SLO-01",
    "SLO-02",
    "SLO-03",
    "SLO-07",
)
@pytest.mark.parametrize("cases", sorted(RULE_TESTS.glob("*.yml")), ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_their_cases_say(promtool: Path, cases: Path) -> None:
    """Each case of prometheus/tests gives exactly the alerts that it names."""
    run(promtool, "test", "rules", cases, folder=RULE_TESTS)


def test_the_cases_notice_a_changed_limit(promtool: Path, tmp_path: Path) -> None:
    """A rule with another limit fails its cases, so a passing case proves something."""
    write(tmp_path / "rules", Context(_thresholds(tmp_path, ALERT_ERROR_RATE=0.5)))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "api.yml").write_text((RULE_TESTS / "api.yml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(AssertionError, match="20-percent"):
        run(promtool, "test", "rules", "api.yml", folder=tmp_path / "tests")


@pytest.mark.parametrize("alert", sorted({alert["alert"] for alert in alerts()}))
def test_every_alert_has_a_case_in_which_it_fires(alert: str) -> None:
    """No rule is without proof that it can fire."""
    firing = [
        str(case)
        for path in RULE_TESTS.glob("*.yml")
        for group in load(path)["tests"]
        for case in (*group.get("promql_expr_test", ()), *group.get("alert_rule_test", ()))
        if case.get("exp_samples") or case.get("exp_alerts")
    ]
    assert any(re.search(rf"\b{alert}\b", case) for case in firing)


@pytest.mark.req("ALR-17")
@pytest.mark.parametrize("alert", sorted({alert["alert"] for alert in alerts()} - {"Watchdog"}))
def test_every_alert_has_a_case_in_which_it_is_silent(alert: str) -> None:
    """Beside the series that make it fire there are some that must not, or a moment at which nothing fires."""
    assert any(_silent(group, alert) for path in RULE_TESTS.glob("*.yml") for group in load(path)["tests"])


def _silent(group: dict[str, Any], alert: str) -> bool:
    """Whether a group of cases would notice the alert where it must not be."""
    checks = [check for check in (*group.get("promql_expr_test", ()), *group.get("alert_rule_test", ())) if _names(check, alert)]
    expected = str([check.get("exp_samples") or check.get("exp_alerts") for check in checks])
    cases = set(re.findall(r'(?:env|channel)="[^"]*"', str(group.get("input_series", ()))))
    nothing = any(not (check.get("exp_samples") or check.get("exp_alerts")) for check in checks)
    return bool(checks) and (nothing or any(case not in expected for case in cases))


def _names(check: dict[str, Any], alert: str) -> bool:
    return bool(re.search(rf"\b{alert}\b", str(check)))


def test_every_case_has_a_name() -> None:
    """A failing case says what it is about."""
    assert all(group.get("name") for path in RULE_TESTS.glob("*.yml") for group in load(path)["tests"])


@pytest.mark.req("ALR-15", "CFG-02")
def test_a_changed_limit_changes_the_rule(tmp_path: Path) -> None:
    """Limits live in thresholds.yml alone."""
    context = Context(_thresholds(tmp_path, ALERT_ERROR_RATE=0.07, ALERT_DOWN_MINUTES=9))
    rules = {rule["alert"]: rule for rule in yaml.safe_load(rule_files(context)["api.yml"])["groups"][0]["rules"]}
    assert "> 0.07" in rules["HighErrorRate"]["expr"]
    assert "7 %" in rules["HighErrorRate"]["annotations"]["description"]
    assert rules["EndpointDown"]["for"] == "9m"


@pytest.mark.req("ALR-15")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALERT_ERROR_RATE", 0.05),
        ("ALERT_RESPONSE_SECONDS", 5),
        ("ALERT_P95_SECONDS", 1),
        ("ALERT_DISK_PERCENT", 80),
        ("ALERT_MEMORY_PERCENT", 90),
        ("ALERT_RSS_BYTES", 1e9),
        ("ALERT_DOWN_MINUTES", 5),
        ("ALERT_CPU_PERCENT", 90),
        ("ALERT_TURN_MS", 1000),
        ("ALERT_TASK_FAILURE_RATE", 0.05),
    ],
)
def test_limits_have_the_documents_values(name: str, value: float) -> None:
    """What the source documents state is what is in force."""
    assert load(THRESHOLDS_FILE)["limits"][name]["value"] == value


def test_every_limit_is_used_and_says_where_it_comes_from() -> None:
    """No limit is left over, and each has unit, source and meaning."""
    context = Context()
    rule_files(context)
    limits = load(THRESHOLDS_FILE)["limits"]
    assert context.used == set(limits)
    assert all(set(entry) == {"value", "unit", "source", "meaning"} for entry in limits.values())


@pytest.mark.parametrize("name", ["ALERT_RESPONSE_SECONDS", "ALERT_P95_SECONDS"])
def test_latency_limits_are_edges_of_the_histogram(name: str) -> None:
    """A percentile is compared where the histogram knows it exactly."""
    assert load(THRESHOLDS_FILE)["limits"][name]["value"] in HTTP_BUCKETS


@pytest.mark.req("LAT-05")
@pytest.mark.parametrize("name", ["ALERT_TURN_MS", "ALERT_ASR_MS", "ALERT_LLM_FIRST_TOKEN_MS", "ALERT_TTS_MS"])
def test_limits_of_a_turn_are_edges_of_the_histograms(name: str) -> None:
    """The same, in milliseconds."""
    assert load(THRESHOLDS_FILE)["limits"][name]["value"] in VOICE_BUCKETS


def test_the_shares_of_the_stages_make_up_a_turn() -> None:
    """A turn beyond its limit has a stage beyond its share."""
    limits = {name: entry["value"] for name, entry in load(THRESHOLDS_FILE)["limits"].items()}
    assert limits["ALERT_ASR_MS"] + limits["ALERT_LLM_FIRST_TOKEN_MS"] + limits["ALERT_TTS_MS"] == limits["ALERT_TURN_MS"]


def test_committed_rules_and_runbook_are_what_the_generator_writes() -> None:
    """Generating again changes nothing."""
    assert {path.name: path.read_text(encoding="utf-8") for path in RULES.glob("*.yml")} == rule_files(Context())
    assert RUNBOOK.read_text(encoding="utf-8") == runbook(Context())
    assert {path.name: path.read_text(encoding="utf-8") for path in RULE_TESTS.glob("slo*.yml")} == case_files()


@pytest.mark.req("ALR-16")
@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
def test_an_alert_tells_what_its_reader_needs(alert: dict[str, Any]) -> None:
    """Severity, a static summary, a description that is filled in, links to its runbook heading and to what to look at."""
    notes = alert["annotations"]
    assert alert["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert re.fullmatch(r"[A-Z][^{}]*\.", notes["summary"])
    assert notes["description"].endswith(".")
    assert re.fullmatch(r"[A-Z][A-Za-z]{1,39}", alert["alert"])
    assert notes["runbook_url"].endswith(f"/docs/runbook.md#{alert['alert'].lower()}")
    assert f"\n### {alert['alert']}\n" in RUNBOOK.read_text(encoding="utf-8")
    assert set(notes) <= {"summary", "description", "runbook_url", "dashboard_url", "query_url"}
    assert re.match(rf"http://127\.0\.0\.1:3000/(explore|d/({'|'.join(UIDS)}))\?", notes["dashboard_url"])
    assert "service" in alert["labels"] or re.search(
        r"by \([^)]*\bservice\b|probe_success|service_endpoint|service_stage|service_task|service:|slo:|mountpoint|node_", alert["expr"]
    )


@pytest.mark.parametrize("uid", BOARDS)
def test_links_fill_variables_that_the_dashboard_has(uid: str) -> None:
    """A dashboard that an alert leads to exists, and knows each variable of the link."""
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS.glob("*.json")]
    board = next(board for board in boards if board["uid"] == uid)
    assert set(BOARDS[uid]) <= {variable["name"] for variable in board["templating"]["list"]}


def test_links_fill_variables_with_labels_that_the_alert_has() -> None:
    """No link ends in an empty variable: what it fills in, each series of the alert carries."""
    for alert in alerts():
        wanted = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["dashboard_url"])) - {"service", "env"}
        assert wanted <= ({"slo"} if "slo:" in alert["expr"] else set()), alert["alert"]


def test_rules_can_be_made_quicker(promtool: Path, tmp_path: Path) -> None:
    """At a tenth of the time the same rules are valid, hold a tenth as long, and look at no window shorter than four scrapes."""
    write(tmp_path, Context(scale=0.1, scrape_interval=2))
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *sorted(tmp_path.glob("*.yml")))
    usual, quick = rules_of(), rules_of(tmp_path)
    assert [rule.get("alert") for rule in quick] == [rule.get("alert") for rule in usual]
    for before, after in zip(usual, quick, strict=True):
        if "for" in before:
            assert parse_duration(after["for"]) == pytest.approx(parse_duration(before["for"]) / 10)
        for window in re.findall(r"\[([0-9a-z]+)[:\]]", after["expr"]):
            assert parse_duration(window) >= SHORTEST_WINDOW * 2


def test_links_follow_the_address_of_grafana() -> None:
    """A stack on other ports links to its own Grafana."""
    text = rule_files(Context(grafana_url="http://127.0.0.1:13000/"))["api.yml"]
    assert "http://127.0.0.1:13000/d/nobet-api-performance" in text
    assert ":3000/" not in text.replace(":13000/", "")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (90, "1m30s"), (1.5, "1s500ms"), (86400, "1d"), (300, "5m")])
def test_durations_are_written_as_prometheus_reads_them(seconds: float, text: str) -> None:
    """Formatting and parsing are each other's inverse."""
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "5x", "1h 30m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A slip of the pen in a rule's declaration stops the generator."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def _thresholds(folder: Path, **values: float) -> Path:
    document = load(THRESHOLDS_FILE)
    for name, value in values.items():
        document["limits"][name]["value"] = value
    path = folder / "thresholds.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path
