"""Every service by every signal it owes, through containers: the same table as natively."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.compose.containers import ANSWER_SECONDS, Containers
from tests.support.stores import Stores
from tests.support.waiting import wait_until

ARRIVAL_SECONDS = 180
"""A record takes 30 s at most (SHP-01) and Prometheus scrapes every 15 s; the rest is patience, as everything shares two cores."""

LOGS = ("app", "oncall", "shipper", "voice")
TRACES = ("app", "voice")
METRICS = ("alertmanager", "app", "blackbox", "cleanup", "elasticsearch", "grafana", "jaeger", "node", "oncall", "postgres",
           "prometheus", "redis", "shipper", "voice")  # fmt: skip
PROBED = ("alertmanager", "app", "elasticsearch", "grafana", "inbox", "jaeger", "prometheus", "voice")

SIGNALS = [
    *((service, "logs") for service in LOGS),
    *((service, "metrics") for service in METRICS),
    *((service, "traces") for service in TRACES),
    *((service, "probe") for service in PROBED),
]


@pytest.fixture(scope="module")
def stores(stack: Containers) -> Stores:
    """What is in the stores."""
    return Stores(stack)


@pytest.fixture(scope="module")
def app(stack: Containers) -> Iterator[httpx.Client]:
    """A client for the app."""
    with httpx.Client(base_url=stack.url("app"), timeout=ANSWER_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def traffic(app: httpx.Client) -> None:
    """A little of everything, so that each signal has something to say."""
    for place in range(3):
        app.get("/feed", headers={"X-Event-ID": f"container-{place}"}).raise_for_status()
        app.post("/suggest", json={"user_id": "7", "topic": "tea"}, headers={"X-Event-ID": f"container-{place}"}).raise_for_status()


@pytest.mark.req("SHP-01", "SYS-07", "SYS-08", "HTM-13", "TRC-05", "UPT-04")
@pytest.mark.parametrize(("service", "signal"), SIGNALS, ids=[f"{service}-{signal}" for service, signal in SIGNALS])
@pytest.mark.usefixtures("traffic")
def test_each_service_sends_each_of_its_signals(stack: Containers, stores: Stores, service: str, signal: str) -> None:
    """The table: what a service owes is in the store within the promised time."""
    what = f"{signal} of {service} arriving"
    if signal == "logs":
        wait_until(what, lambda: stores.count({"term": {"service_name": service}}, "logs-*"), ARRIVAL_SECONDS)
    elif signal == "metrics":
        wait_until(what, lambda: set(stores.targets().get(service, [])) == {"up"}, ARRIVAL_SECONDS)
    elif signal == "traces":
        wait_until(what, lambda: service in stack.ask("jaeger_ui", "/api/services").json()["data"], ARRIVAL_SECONDS)
    else:
        wait_until(what, lambda: stores.query(f'probe_success{{service="{service}"}} == 1'), ARRIVAL_SECONDS)


def test_every_target_is_up(stores: Stores) -> None:
    """No target of any job is down or unknown."""
    wait_until("all targets being up", lambda: {health for job in stores.targets().values() for health in job} == {"up"}, ARRIVAL_SECONDS)


@pytest.mark.req("COR-16", "TRC-03")
def test_one_id_tells_the_story_of_two_services(app: httpx.Client, stores: Stores) -> None:
    """Records of app and voice under one id and one trace, in order, and the spans of both in the trace store."""
    app.post("/suggest", json={"user_id": "7", "topic": "tea"}, headers={"X-Event-ID": "told"}).raise_for_status()
    records = wait_until("both services' records", lambda: _of_both(stores.of_request("told"), "service_name"), ARRIVAL_SECONDS)
    (trace_id,) = {record["trace_id"] for record in records}
    wait_until("the trace", lambda: _of_both(stores.trace(trace_id), "service"), ARRIVAL_SECONDS)


def _of_both(found: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return found if {item[key] for item in found} == {"app", "voice"} else []


@pytest.mark.req("ERR-01")
def test_a_crash_reaches_the_error_tracker(stack: Containers, app: httpx.Client) -> None:
    """/crash is an event in the tracker of the profile `errors`, which can be read back with its id."""
    app.get("/crash", headers={"X-Event-ID": "felt"})
    headers = {"Authorization": f"Bearer {stack.secret('ERROR_TRACKER_TOKEN')}"}
    issues = "/api/canonical/0/issues/?project=1"
    found = wait_until("the issue", lambda: stack.ask("error_tracker", issues, headers=headers).json()["results"], ARRIVAL_SECONDS)
    assert found


def test_an_alert_ends_as_a_mail(stack: Containers) -> None:
    """What Alertmanager is told goes to the on-call service and from there into the inbox, which sends nothing on."""
    alert = [{"labels": {"alertname": "TriedOut", "severity": "critical", "service": "app"}, "annotations": {"summary": "Only a test."}}]
    httpx.post(f"{stack.url('alertmanager')}/api/v2/alerts", json=alert, timeout=ANSWER_SECONDS).raise_for_status()

    def mailed() -> bool:
        mails = stack.ask("inbox", "/api/v1/messages").json()["messages"]
        return any("TriedOut" in json.dumps(mail) for mail in mails)

    wait_until("the mail", mailed, ARRIVAL_SECONDS)


@pytest.mark.req("ACC-01", "ACC-02", "ACC-04")
def test_doors_are_shut_without_a_key(stack: Containers) -> None:
    """Metrics, Elasticsearch and Grafana refuse whoever has no token or password."""
    for service in ("app", "voice", "shipper", "oncall", "cleanup"):
        assert stack.ask(service, "/metrics").status_code == 401, service
    assert stack.ask("elasticsearch", "/_search").status_code == 401
    assert stack.ask("grafana", "/api/datasources").status_code == 401
    assert stack.ask("grafana", "/api/datasources", auth=("admin", "admin")).status_code == 401


DATA_SOURCES = {
    "prometheus": "/api/v1/query?query=up",
    "elasticsearch-logs": "/logs-*/_count",
    "elasticsearch-events": "/events-*/_count",
    "jaeger": "/api/services",
    "alertmanager": "/api/v2/status",
}


@pytest.mark.parametrize(("uid", "path"), DATA_SOURCES.items())
def test_grafana_reaches_its_data_sources(stack: Containers, uid: str, path: str) -> None:
    """With the address and the credentials of its provisioning, from its own container."""
    pair = base64.b64encode(f"admin:{stack.secret('GRAFANA_ADMIN_PASSWORD')}".encode()).decode()
    answer = stack.ask("grafana", f"/api/datasources/proxy/uid/{uid}{path}", headers={"Authorization": f"Basic {pair}"})
    assert answer.status_code == 200, answer.text
