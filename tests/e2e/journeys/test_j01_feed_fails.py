"""J-01: the feed can't be loaded because of the database; one id tells it in every store, from the press of the button on."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.client import TRY_AGAIN, SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.evidence import ARRIVAL_SECONDS, chain, events, fresh, rising, table_away
from tests.support.sentry_sink import SentrySink
from tests.support.servers import Postgres
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-01", "DBQ-03", "SEB-19", "ERR-05", "LOG-16", "COR-13")]

QUERY = {"query": "query Home { feed(limit: 5) { posts { id } } }"}


@pytest.mark.parametrize(
    ("method", "path", "body", "steps"),
    [
        ("GET", "/api/feed", None, []),
        ("POST", "/api/graphql", QUERY, ["graphql.failed"]),
    ],
    ids=["http", "graphql"],
)
def test_a_feed_that_fails_is_the_same_story_for_user_support_and_operator(
    world: RunningStack,
    app: httpx.Client,
    stores: Stores,
    error_events: SentrySink,
    client_events: SentrySink,
    crashlytics: CrashlyticsSink,
    phone: Callable[..., SimulatedClient],
    method: str,
    path: str,
    body: dict[str, str] | None,
    steps: list[str],
) -> None:
    """500 with the id, three ERROR records, one event here and one from the phone, the counters, and a retry that is logged and works."""
    ident, user = fresh("abc123"), new_user(app, "j01")
    mobile = phone(token=user.access_token)
    assert mobile.act(method, path, json=body).status == 200
    born = f'http_requests_errors_total{{job="app",endpoint="{path}",status_code="500"}}'
    wait_until("the error counter of the endpoint being there, so that its first rise shows", lambda: stores.query(born), ARRIVAL_SECONDS)
    failed = f'sum(http_requests_total{{job="app",endpoint="{path}",status_code="500"}})'
    errors = f'sum(http_requests_errors_total{{job="app",endpoint="{path}"}})'
    with rising(stores, failed, errors, 'sum(feed_loads_total{outcome="failure"})'), table_away(Postgres(world), "posts"):
        action = mobile.act(method, path, event_id=ident, json=body)
    assert (action.status, action.body["request_id"], action.headers["x-request-id"]) == (500, ident, ident)
    assert "posts" not in str(action.body), "the answer tells nothing of the database"
    assert mobile.shown == [TRY_AGAIN]

    records = chain(stores, ident)
    names = ["http.request.started", "feed.requested", "db.query.failed", "feed.failed", *steps]
    told = events(records, *names, "http.request.failed", "http.request.completed")
    assert [record["event"] for record in told[:-1]] == names
    assert told[-1]["status_code"] == 500
    assert [record["level"] for record in told] == ["INFO", "INFO", *["ERROR"] * (len(told) - 2)]
    assert {record["user_id"] for record in told[1:]} == {user.user_id}
    assert len(events(records, "http.request.failed", "http.request.completed")) == 1

    (event,) = wait_until("the backend's error event", lambda: error_events.of(ident), ARRIVAL_SECONDS)
    assert event["tags"]["event_id"] == ident
    assert "simulated" in event["contexts"]["request"]["user_agent"]
    wait_until("the phone's error event", lambda: client_events.of(ident), ARRIVAL_SECONDS)
    assert client_events.of(ident)[0]["tags"]["event_id"] == ident
    (crash,) = wait_until("the crash report", lambda: crashlytics.errors(ident), ARRIVAL_SECONDS)
    assert not crash["fatal"]

    again = mobile.retry(action)
    assert again.status == 200
    wait_until("the press being logged", lambda: "Retry pressed" in crashlytics.logs(ident), ARRIVAL_SECONDS)

    rate = 'sum by (endpoint) (increase(http_requests_errors_total{job="app"}[5m])) > 0'
    wait_until("the Error Rate panel", lambda: any(row["metric"]["endpoint"] == path for row in stores.query(rate)), ARRIVAL_SECONDS)
    top = f"topk(20, {rate})"
    wait_until("the Top Errors panel", lambda: any(row["metric"]["endpoint"] == path for row in stores.query(top)), ARRIVAL_SECONDS)
