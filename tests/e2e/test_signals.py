"""Every service by every signal it owes, against the whole running stack: the table below is the promise."""

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from app.stack.paths import CHECKOUT
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores, has_jaeger
from tests.support.suggesting import suggested
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ARRIVAL_SECONDS = 30
"""SHP-01: a record is found within 30 s."""

LOGS = {"app", "voice", "shipper"}
TRACES = {"app", "voice"}
METRICS = {
    "app", "voice", "shipper", "prometheus", "alertmanager", "node", "postgres", "redis", "elasticsearch", "jaeger",
}  # fmt: skip
PROBED = {"app", "voice", "prometheus", "alertmanager", "elasticsearch", "jaeger", "inbox"}

SIGNALS = [
    *((service, "logs") for service in sorted(LOGS)),
    *((service, "metrics") for service in sorted(METRICS)),
    *((service, "traces") for service in sorted(TRACES)),
    *((service, "probe") for service in sorted(PROBED)),
]


@pytest.fixture(scope="module")
def traffic(app: httpx.Client) -> None:
    """A little of everything, so that each signal has something to say."""
    for place in range(5):
        app.get("/feed", headers={"X-Event-ID": f"warm-{place}"})
        app.post("/suggest", json={"user_id": "7", "topic": "tea"}, headers={"X-Event-ID": f"warm-{place}"})
    app.get("/crash")


@pytest.mark.req("SHP-01", "SHP-05", "SYS-07", "SYS-08", "HTM-11", "HTM-13", "TRC-05", "UPT-04", "LOG-29")
@pytest.mark.parametrize(("service", "signal"), SIGNALS, ids=[f"{service}-{signal}" for service, signal in SIGNALS])
@pytest.mark.usefixtures("traffic")
def test_each_service_sends_each_of_its_signals(world: RunningStack, stores: Stores, service: str, signal: str) -> None:
    """The table: what a service owes is in the store within the promised time."""
    if service == "jaeger" or signal == "traces":
        assert has_jaeger(world), "this machine has no Go 1.25, so no Jaeger: install it to run this test"
    what = f"{signal} of {service} arriving"
    if signal == "logs":
        wait_until(what, lambda: stores.logs({"term": {"service_name": service}}, "logs-*"), ARRIVAL_SECONDS)
    elif signal == "metrics":
        wait_until(what, lambda: stores.targets().get(service) and set(stores.targets()[service]) == {"up"}, ARRIVAL_SECONDS)
    elif signal == "traces":
        services = f"{world.url('jaeger_ui')}/api/services"
        wait_until(what, lambda: service in httpx.get(services, timeout=30).json()["data"], ARRIVAL_SECONDS)
    else:
        probe = f'probe_success{{service="{service}"}} == 1'
        wait_until(what, lambda: stores.query(probe), ARRIVAL_SECONDS)


@pytest.mark.req("HTM-13")
def test_every_target_is_up(stores: Stores) -> None:
    """No target of any job is down or unknown."""
    wait_until("all targets being up", lambda: {health for job in stores.targets().values() for health in job} == {"up"}, 60)


@pytest.mark.req("HTM-12")
@pytest.mark.usefixtures("traffic")
def test_prometheus_answers_for_the_requests(stores: Stores) -> None:
    """The documented query returns data, and the health calls are not in it."""
    wait_until("requests in Prometheus", lambda: stores.query('http_requests_total{endpoint="/feed"}'), ARRIVAL_SECONDS)
    assert stores.query('http_requests_total{endpoint=~"/health.*|/metrics.*"}') == []


@pytest.mark.req("COR-16", "TRC-03", "TRC-07", "LOG-15", "COR-15")
def test_one_id_tells_the_story_of_two_services(world: RunningStack, app: httpx.Client, stores: Stores) -> None:
    """Records of app and voice under one id and one trace, in order, and the spans of both in Jaeger."""
    ident = suggested(app, "story1")
    records = wait_until("both services' records", lambda: _ended(stores.of_request(ident)), ARRIVAL_SECONDS)
    assert {record["service_name"] for record in records} == {"app", "voice"}
    (trace_id,) = {record["trace_id"] for record in records}
    assert [record["timestamp"] for record in records] == sorted(record["timestamp"] for record in records)
    assert has_jaeger(world)
    spans = wait_until("the trace", lambda: _of_both(stores.trace(trace_id)), ARRIVAL_SECONDS)
    assert {span["service"] for span in spans} == {"app", "voice"}


def _ended(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ends = [record for record in records if record.get("event") == "http.request.completed"]
    return records if {record["service_name"] for record in ends} == {"app", "voice"} else []


def _of_both(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return spans if {span["service"] for span in spans} == {"app", "voice"} else []


def nobet(world: RunningStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the nobet command against the stack."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env={**os.environ, **world.environment}, cwd=CHECKOUT, capture_output=True, text=True, check=False)


@pytest.mark.req("COR-16", "COR-07", "LOG-24")
def test_the_story_command_prints_records_and_trace(world: RunningStack, app: httpx.Client) -> None:
    """`nobet story tale7` seconds after the request: its records from Elasticsearch and its trace, for people and for scripts."""
    app.get("/feed", headers={"X-Event-ID": "tale7"})
    printed: list[str] = []

    def told() -> bool:
        done = nobet(world, "story", "tale7")
        printed[:] = [done.stdout, done.stderr]
        return done.returncode == 0 and all(word in done.stdout for word in ("tale7", "http.request.completed", "feed.load", "db.query"))

    try:
        wait_until("the whole story", told, ARRIVAL_SECONDS)
    except AssertionError as error:
        raise AssertionError("\n".join(printed)) from error
    document = json.loads(nobet(world, "story", "tale7", "--json").stdout)
    assert {record["request_id"] for record in document["records"]} == {"tale7"}


def test_the_story_of_an_unknown_id_says_so(world: RunningStack) -> None:
    """Exit code 1 and a sentence, not an empty page."""
    printed = nobet(world, "story", "never-seen")
    assert printed.returncode == 1
    assert "never-seen" in printed.stdout + printed.stderr


@pytest.mark.req("ERR-01", "ERR-04", "SEB-11", "TST-06", "HTM-03", "LOG-23")
def test_a_crash_is_one_record_one_event_and_one_count(app: httpx.Client, stores: Stores, error_events: SentrySink) -> None:
    """/crash end to end: a 500 with the id, one terminal record in Elasticsearch, one error event, one count in Prometheus."""
    counted = 'sum(http_requests_errors_total{endpoint="/debug"})'
    stores.caught_up()
    before = stores.value(counted)
    answer = app.get("/debug", headers={"X-Event-ID": "crash1"})
    assert (answer.status_code, answer.json()["request_id"]) == (500, "crash1")
    records = wait_until("the terminal record", lambda: _terminal(stores.of_request("crash1")), ARRIVAL_SECONDS)
    assert [record["outcome"] for record in records] == ["failed"]
    wait_until("the error event", lambda: error_events.of("crash1"), ARRIVAL_SECONDS)
    assert len(error_events.of("crash1")) == 1
    expected = 1 if before != before else before + 1
    wait_until("the count", lambda: stores.value(counted) == expected, ARRIVAL_SECONDS)


def _terminal(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ends = {"http.request.completed", "http.request.failed", "http.request.cancelled", "http.request.timed_out"}
    return [record for record in records if record.get("event") in ends]


@pytest.mark.req("HTM-18", "SYS-02", "SYS-03", "SYS-04")
def test_values_of_both_workers_are_there(stores: Stores) -> None:
    """Two workers of the app, each with CPU and memory."""
    for name in ("process_resident_memory_bytes", "process_heap_bytes", "process_cpu_seconds_total"):
        wait_until(f"{name} of both workers", lambda name=name: len(stores.query(f'{name}{{job="app"}}')) == 2, ARRIVAL_SECONDS)  # type: ignore[misc]


@pytest.mark.req("ACC-01", "ACC-02")
def test_doors_are_shut_without_a_key(world: RunningStack) -> None:
    """Metrics and Elasticsearch refuse whoever has no token or password."""
    for service in ("app", "voice", "shipper"):
        assert httpx.get(f"{world.url(service)}/metrics", timeout=30).status_code == 401, service
    assert httpx.get(f"{world.url('elasticsearch')}/_search", timeout=30).status_code == 401
