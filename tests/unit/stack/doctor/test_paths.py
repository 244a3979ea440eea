"""The paths, where a break can't be made on a running stack in seconds: servers that answer as broken ones do."""

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.clients.log_search import Found, LogSearch, SearchError
from app.stack.doctor import errand, logs, traces, tracker
from app.stack.doctor.alerts import alert_checks
from app.stack.doctor.asking import NoAnswerError
from app.stack.doctor.errand import Errand
from app.stack.doctor.metrics import alertmanagers, rules, targets
from app.stack.doctor.model import Level, Scene
from app.stack.doctor.sources import data_sources
from app.stack.mode import Mode
from app.stack.stack import Stack
from tests.unit.stack.conftest import OpenStack
from tests.unit.stack.doctor.conftest import Servers, only

HEALTHY_SHIPPER: dict[str, Any] = {"status": "ok", "checks": {"loop": "ok", "sign_in": "ok", "delivery": "ok"}}


def _sent() -> Errand:
    """A request whose time has run out: nothing is waited for."""
    return Errand("doctor-1", "0" * 31 + "1", 404, time.monotonic() - 1000)


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Found:
    """What the search finds."""
    found = Found()
    monkeypatch.setattr(LogSearch, "by_ids", lambda *_: found)
    return found


@pytest.fixture
def well(servers: Servers) -> Servers:
    """Elasticsearch and the shipper are well."""
    servers.answers["/_cluster/health"] = (200, {"status": "yellow"})
    servers.answers["/health"] = (200, HEALTHY_SHIPPER)
    return servers


def test_a_record_that_is_found(scene: Scene, search: Found) -> None:
    """The whole way works, whatever else could be said."""
    search.records.append({})
    assert logs.log_path(scene, _sent())[0].level is Level.OK


def test_a_record_that_was_refused(scene: Scene, search: Found) -> None:
    """The dead letter is named, with its reason and the command that shows it."""
    search.dead_letters.append({"_id": "abc", "reason": "rejected"})
    what, cause, fix = only(logs.log_path(scene, _sent()))
    assert "refused the request's record" in what
    assert "rejected" in cause
    assert "nobet dead-letters show abc" in fix


def test_a_password_that_elasticsearch_refuses(scene: Scene, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told apart from a server that is away."""

    def refuse(*_: object) -> Found:
        raise SearchError("no")

    monkeypatch.setattr(LogSearch, "by_ids", refuse)
    servers.answers["/_cluster/health"] = (401, {})
    assert "refuses nobet_reader" in only(logs.log_path(scene, _sent()))[0]


def test_a_red_cluster(scene: Scene, search: Found, well: Servers) -> None:
    """Shards without a place are the cause."""
    well.answers["/_cluster/health"] = (200, {"status": "red", "unassigned_shards": 3})
    what, cause, _ = only(logs.log_path(scene, _sent()))
    assert "is red" in what
    assert cause.startswith("3 shards are unassigned")


def test_an_index_that_a_full_disk_closed(scene: Scene, search: Found, well: Servers) -> None:
    """Elasticsearch opens it again by itself: making room is the fix."""
    today = dt.datetime.now(dt.UTC)
    indices = [f"logs-nobet-{day:%Y.%m.%d}" for day in (today, today + dt.timedelta(days=1))]  # midnight may come in between
    for index in indices:
        well.answers[f"/{index}/_settings"] = (200, {index: {"settings": {"index.blocks.read_only_allow_delete": "true"}}})
    what, cause, fix = only(logs.log_path(scene, _sent()))
    assert any(index in what for index in indices)
    assert "when the disk was full" in cause
    assert fix.startswith("Make room")


@pytest.mark.parametrize(
    ("check", "told"),
    [("sign_in", "Elasticsearch refuses its credentials"), ("delivery", "does not deliver"), ("loop", "does not deliver")],
)
def test_a_shipper_that_can_not(scene: Scene, search: Found, well: Servers, check: str, told: str) -> None:
    """Its own health check says which part; a refused password gets its own fix."""
    well.answers["/health"] = (503, {"checks": {**HEALTHY_SHIPPER["checks"], check: "error: it fails"}})
    what, cause, fix = only(logs.log_path(scene, _sent()))
    assert told in what
    assert ("SHIPPER_PASSWORD" in cause) is (check == "sign_in")
    assert ("make up" in fix) is (check == "sign_in")


def test_records_that_never_reached_the_spool(scene: Scene, search: Found, well: Servers) -> None:
    """The app's counters say so, by reason."""
    well.answers["/metrics"] = (200, 'log_records_dropped_total{reason="write_failed"} 7.0\nlog_records_dropped_total{reason="x"} 0.0\n')
    what, cause, _ = only(logs.log_path(scene, _sent()))
    assert "could not put records into the spool" in what
    assert 'reason="write_failed"} 7' in cause
    assert "x" not in cause.split(":")[0]


def test_a_record_that_waits_in_the_spool(scene: Scene, search: Found, well: Servers) -> None:
    """The shipper is behind: the record exists."""
    scene.stack.paths.spool.mkdir(exist_ok=True)
    (scene.stack.paths.spool / "app.w.00000001.ndjson").write_text('{"request_id":"doctor-1"}\n')
    assert "is in the spool and not yet" in only(logs.log_path(scene, _sent()))[0]


def test_a_spool_that_is_gone(scene: Scene, search: Found, well: Servers) -> None:
    """The record was never written: the folder is the fix."""
    scene.stack.paths.spool.rmdir()
    what, _, fix = only(logs.log_path(scene, _sent()))
    assert "can't write its records" in what
    assert f"mkdir -m 700 {scene.stack.paths.spool}" in fix


def test_a_record_that_is_nowhere(scene: Scene, search: Found, well: Servers) -> None:
    """What is left: the app writes elsewhere, or nothing."""
    assert "neither in the spool nor" in only(logs.log_path(scene, _sent()))[0]


def test_an_app_that_hangs(scene: Scene) -> None:
    """It is started anew rather than started."""
    sent = Errand("doctor-1", "1", 0, 0.0, NoAnswerError("it did not answer in 5 s"))
    assert only(logs.log_path(scene, sent))[2] == "nobet down app && nobet up app"
    assert only(traces.trace_path(scene, sent))[2] == "nobet down app && nobet up app"


def test_a_trace_that_the_app_could_not_send(scene: Scene, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its counter of lost spans is the cause."""
    monkeypatch.setattr(traces, "choose", lambda *_, **__: type("C", (), {"skipped": {}}))
    servers.answers["/metrics"] = (200, 'telemetry_dropped_total{signal="span"} 12.0\n')
    what, cause, _ = only(traces.trace_path(scene, _sent()))
    assert "does not arrive" in what
    assert "could not send 12 spans" in cause
    servers.answers["/metrics"] = (200, 'telemetry_dropped_total{signal="span"} 0.0\n')
    assert "sends no spans" in only(traces.trace_path(scene, _sent()))[1]


def test_a_trace_store_that_cannot_search(scene: Scene, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jaeger's 500 is mostly Elasticsearch's."""
    monkeypatch.setattr(traces, "choose", lambda *_, **__: type("C", (), {"skipped": {}}))
    servers.answers[f"/api/traces/{_sent().trace_id}"] = (500, {})
    what, cause, _ = only(traces.trace_path(scene, _sent()))
    assert "can't look for the trace" in what
    assert "mostly Elasticsearch" in cause


def _target(error: str) -> dict[str, Any]:
    return {"health": "down", "scrapeUrl": "http://x", "lastError": error, "labels": {"job": "postgres", "instance": "127.0.0.1:9187"}}


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("server returned HTTP status 401 Unauthorized", "METRICS_TOKEN changed"),
        ("dial tcp 127.0.0.1:9187: connect: connection refused", "postgres_exporter does not run"),
        ("context deadline exceeded", "hangs or is overloaded"),
        ("sample limit exceeded", "a label has too many values"),
        ("unexpected end of input", "Prometheus says: unexpected end"),
    ],
)
def test_a_target_that_is_down(scene: Scene, servers: Servers, error: str, cause: str) -> None:
    """The error of the scrape is put into words."""
    servers.answers["/api/v1/targets"] = (200, {"data": {"activeTargets": [_target(error)]}})
    what, why, _ = only(targets(scene))
    assert what == "The target postgres (127.0.0.1:9187) is down."
    assert cause in why


def test_a_target_that_runs_again_is_no_problem(scene: Scene, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after a start Prometheus still remembers that nobody listened: a note, and nothing to be done but to wait."""
    refused = _target("dial tcp 127.0.0.1:9187: connect: connection refused")
    servers.answers["/api/v1/targets"] = (200, {"data": {"activeTargets": [refused]}})
    monkeypatch.setattr("app.stack.doctor.metrics.runs", lambda _scene: frozenset({"postgres_exporter"}))
    (found,) = targets(scene)
    assert found.level.value == "note"
    assert "next scrape" in found.fix


def test_no_targets_no_rules_no_alertmanager(scene: Scene, servers: Servers) -> None:
    """Emptiness is the worst of breaks: nothing looks wrong anywhere else."""
    servers.answers["/api/v1/targets"] = (200, {"data": {"activeTargets": []}})
    servers.answers["/api/v1/rules"] = (200, {"data": {"groups": []}})
    servers.answers["/api/v1/alertmanagers"] = (200, {"data": {"activeAlertmanagers": []}})
    servers.answers["/api/v2/status"] = (200, {})
    assert "nothing to scrape" in only(targets(scene))[0]
    assert "no alert will ever come" in only(rules(scene))[0]
    assert "knows no Alertmanager" in only(alertmanagers(scene))[0]


def test_a_rule_that_cannot_be_evaluated(scene: Scene, servers: Servers) -> None:
    """Its name and Prometheus's reason are told."""
    rule = {"name": "HighErrorRate", "health": "err", "lastError": "many-to-many matching not allowed"}
    servers.answers["/api/v1/rules"] = (200, {"data": {"groups": [{"rules": [rule, {"name": "Fine", "health": "ok"}]}]}})
    what, cause, fix = only(rules(scene))
    assert "HighErrorRate" in what
    assert "many-to-many" in cause
    assert "make generate" in fix


def _alert_check(name: str, scene: Scene) -> tuple[str, str, str]:
    check = next(check for check in alert_checks() if check.name == name)
    return only(list(check.look(scene)))


def test_a_watchdog_that_does_not_arrive(scene: Scene, servers: Servers) -> None:
    """Where it is lost: in Prometheus, before Alertmanager, at the door of the on-call service, or after it."""
    servers.answers["/api/v1/alerts"] = (200, {"data": {"alerts": []}})
    assert "does not fire in Prometheus" in _alert_check("watchdog", scene)[0]
    firing = {"labels": {"alertname": "Watchdog"}, "state": "firing"}
    servers.answers["/api/v1/alerts"] = (200, {"data": {"alerts": [firing]}})
    servers.answers["/api/v2/alerts"] = (200, [])
    assert "Alertmanager does not have it" in _alert_check("watchdog", scene)[0]
    servers.answers["/api/v2/alerts"] = (200, [firing])
    servers.answers["/api/duty"] = (401, {})
    assert "refuses ONCALL_TOKEN" in _alert_check("watchdog", scene)[0]
    servers.answers["/api/duty"] = (503, {})
    assert "its database is away" in _alert_check("watchdog", scene)[1]
    servers.answers["/api/duty"] = (200, [])
    servers.answers["/metrics"] = (200, "oncall_watchdog_age_seconds 900.0\n")
    assert "has not come to the on-call service for 900 s" in _alert_check("watchdog", scene)[0]


def test_a_mail_server_elsewhere_that_does_not_answer(open_at: OpenStack) -> None:
    """Its address is named; no mail was sent."""
    scene = Scene(open_at(SMTP_SERVER="127.0.0.1", SMTP_PORT="9"), Mode.NATIVE)
    what, cause, fix = _alert_check("inbox", scene)
    assert "127.0.0.1:9 takes no mail" in what
    assert "ConnectionRefusedError" in cause
    assert "SMTP_SERVER" in fix


def test_data_sources_through_grafana(scene: Scene, servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Refused, none, and one that can't be read: three causes."""
    monkeypatch.setattr("shutil.which", lambda _: "/usr/sbin/grafana-server")
    servers.answers["/api/datasources"] = (401, {})
    assert "refuses its administrator" in only(data_sources(scene))[0]
    servers.answers["/api/datasources"] = (200, [])
    assert "no data source" in only(data_sources(scene))[0]
    servers.answers["/api/datasources"] = (200, [{"uid": "logs", "name": "Logs"}, {"uid": "jaeger", "name": "Traces"}])
    servers.answers["/api/datasources/uid/logs/health"] = (400, {"message": "401 Unauthorized"})
    servers.answers["/api/datasources/uid/jaeger/health"] = (200, {"status": "OK"})
    what, cause, _ = only(data_sources(scene))
    assert what == "Grafana can't read the data source Logs."
    assert cause == "401 Unauthorized"


def test_an_error_tracker_of_ours(scene: Scene, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that it does not know, a token that it refuses, an event that it takes and never shows."""
    monkeypatch.setattr(tracker, "is_available", lambda *_: True)
    servers.answers["/api/1/envelope/"] = (403, {})
    assert "refuses events: 403" in only(tracker.error_path(scene))[0]
    servers.answers["/api/1/envelope/"] = (200, {})
    servers.answers["/api/canonical/0/projects/"] = (401, {})
    assert "refuses ERROR_TRACKER_TOKEN" in only(tracker.error_path(scene))[1]
    monkeypatch.setattr(tracker, "PATIENCE_SECONDS", 0.0)
    servers.answers["/api/canonical/0/projects/"] = (200, [])
    assert "never showed it" in only(tracker.error_path(scene))[0]


@pytest.mark.parametrize("dsn", ["https://sentry.example/1", "nonsense"])
def test_a_dsn_that_is_none(scene: Scene, monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    """Said before anything is sent, and without its text."""
    settings = scene.stack.settings.model_copy(update={"sentry_dsn": SecretStr(dsn)})
    broken = Scene(Stack(settings, scene.stack.paths), Mode.NATIVE)
    what, cause, fix = only(tracker.error_path(broken))
    assert what == "SENTRY_DSN can't be used."
    assert dsn not in cause + fix


def test_the_errand_goes_the_way_of_every_request(scene: Scene, servers: Servers) -> None:
    """An id of its own, a trace that asks to be recorded, and a path that no route has."""
    servers.answers["/nobet-doctor"] = (404, {})
    sent = errand.send(scene)
    assert (sent.status, sent.problem) == (404, None)
    assert len(sent.trace_id) == 32
