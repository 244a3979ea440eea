"""J-17: Redis stops: health says which, monitors turn red, people are told; it returns, and availability keeps the gap."""

import time

import httpx
import pytest

from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

PROBE = 'probe_success{job="blackbox-http", service="app", probe="health"}'
ALERT_SECONDS = 150
"""Rules hold a tenth of their time here; Alertmanager waits up to a minute for company."""


@pytest.mark.req("HLT-01", "HLT-02", "HLT-06", "HLT-07", "UPT-02", "UPT-03", "UPT-04", "ALR-08", "ALR-18", "ERR-09", "PRV-14", "J-17")
def test_redis_goes_and_comes_back(world: RunningStack, stores: Stores, app: httpx.Client) -> None:
    """503 degraded names redis alone, health and endpoint alerts fire and are mailed, then 200, resolved, and a gap in the figure."""
    paths = ("/api/health", "/health/", "/health")
    wait_until("a healthy beginning", lambda: app.get("/health/").status_code == 200 and stores.value(PROBE) == 1, 60)
    began = time.time()
    known = {mail["id"] for mail in stores.mails("")}

    def told(*words: str) -> bool:
        """Whether a mail has come since that has one of the words, in its subject or, where it tells of several incidents, below."""
        new = [f"{mail['subject']}\n{mail.get('text', '')}" for mail in stores.mails("") if mail["id"] not in known]
        return any(word in mail for mail in new for word in words)

    world.stop("redis")
    try:
        wait_until("health noticing it", lambda: all(app.get(path).status_code == 503 for path in paths), 30)
        others = dict.fromkeys(("database", "elasticsearch", "voice", "disk", "memory"), "ok")

        def redis_alone(path: str) -> bool:
            body = app.get(path).json()
            assert body["status"] == "degraded"
            assert body["checks"]["redis"] == "error: unavailable"
            return bool(body["checks"] | others == body["checks"])

        for path in paths:
            wait_until(f"{path} naming redis alone", lambda path=path: redis_alone(path), 30)  # type: ignore[misc]
        inside = app.get("/api/health", headers={"Authorization": f"Bearer {world.secret('METRICS_TOKEN')}"}).json()
        assert "ConnectionError" in inside["checks"]["redis"]
        assert app.get("/feed").status_code == 200, "the rest serves"
        assert app.get("/health/live").status_code == 200, "nobody restarts healthy workers"

        wait_until("the metric", lambda: stores.value('dependency_up{service="app", dependency="redis"}') == 0, 30)
        wait_until("and of it alone", lambda: stores.value('dependency_up{service="app", dependency="database"}') == 1, 30)
        wait_until("the uptime monitor turning red", lambda: stores.value(PROBE) == 0, 30)
        for alert in ('DependencyDown", dependency="redis', 'EndpointDown", probe="health'):
            firing = f'ALERTS{{alertname="{alert}", service="app", alertstate="firing"}}'
            wait_until(f"the alert {alert}", lambda firing=firing: stores.query(firing), ALERT_SECONDS)  # type: ignore[misc]
        wait_until("a mail about the dependency", lambda: told("RedisDown", "DependencyDown"), ALERT_SECONDS)
        wait_until("a mail about the endpoint", lambda: told("EndpointDown"), ALERT_SECONDS)
        changed = {"bool": {"filter": [{"term": {"event": "health.changed"}}, {"term": {"component": "redis"}}]}}
        wait_until("the record", lambda: [r for r in stores.logs(changed) if r["outcome"] == "failed" and _is_since(r, began)], 60)
    finally:
        world.start("redis")

    wait_until("health being well again", lambda: all(app.get(path).status_code == 200 for path in paths), 60)
    assert app.get("/api/health").json()["checks"]["redis"] == "ok"
    wait_until("the uptime monitor turning green", lambda: stores.value(PROBE) == 1, 30)
    open_alerts = 'ALERTS{alertname=~"DependencyDown|EndpointDown|RedisDown", service=~"app|redis", alertstate="firing"}'
    wait_until("the alerts' end", lambda: stores.query(open_alerts) == [], ALERT_SECONDS)
    wait_until("a mail that says so", lambda: told("[RESOLVED"), ALERT_SECONDS)
    window = f"{int(time.time() - began) + 5}s"
    assert 0 < stores.value(f"avg_over_time({PROBE}[{window}])") < 1
    recorded = 'endpoint:probe_success:avg30d{service="app", probe="health"}'
    wait_until("the recorded availability showing the gap", lambda: 0 < stores.value(recorded) < 1, 90)


def _is_since(record: dict[str, object], began: float) -> bool:
    return str(record["timestamp"]) >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
