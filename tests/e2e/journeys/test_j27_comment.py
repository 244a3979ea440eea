"""J-27: a comment fails, or takes too long: logged, reported, and its exceedance measured by endpoint."""

import threading
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

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-27", "LAT-07", "LAT-08", "DBQ-06")]

ENDPOINT = "/api/comments"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > '700 ms' AND query LIKE '%comments%'"
)


def test_a_comment_that_fails_is_logged_and_reported_on_both_sides(
    world: RunningStack,
    app: httpx.Client,
    stores: Stores,
    error_events: SentrySink,
    client_events: SentrySink,
    crashlytics: CrashlyticsSink,
    phone: Callable[..., SimulatedClient],
) -> None:
    """500 with the id; ERROR records of query, service and request; an event here and one from the phone; counters; the retry works."""
    user, ident = new_user(app, "j27"), fresh("j27-fails")
    post = app.post("/api/posts", json={"title": "a", "body": "b"}, headers=user.headers).json()
    mobile = phone(token=user.access_token)
    failed = f'sum(http_requests_errors_total{{job="app",endpoint="{ENDPOINT}"}})'
    with rising(stores, failed, 'sum(comments_submitted_total{outcome="failure"})'), table_away(Postgres(world), "comments"):
        action = mobile.act("POST", ENDPOINT, event_id=ident, json={"post_id": post["id"], "body": "A private remark"})
    assert (action.status, action.body["request_id"], mobile.shown) == (500, ident, [TRY_AGAIN])
    records = chain(stores, ident)
    told = [(record["event"], record["level"]) for record in events(records, "db.query.failed", "comment.failed", "http.request.failed")]
    assert told == [("db.query.failed", "ERROR"), ("comment.failed", "ERROR"), ("http.request.failed", "ERROR")]
    assert "private remark" not in str(records)
    wait_until("the backend's event", lambda: error_events.of(ident), ARRIVAL_SECONDS)
    wait_until("the phone's event", lambda: client_events.of(ident), ARRIVAL_SECONDS)
    wait_until("the crash report", lambda: crashlytics.errors(ident), ARRIVAL_SECONDS)
    with rising(stores, 'sum(comments_submitted_total{outcome="success"})'):
        assert mobile.retry(action).status == 201


def test_a_comment_that_is_slow_shows_in_the_latency_by_endpoint(world: RunningStack, app: httpx.Client, stores: Stores) -> None:
    """201 all the same; a WARNING with the time it took; one more beyond 500 ms in both histograms of the endpoint; p95 above it."""
    user, ident, postgres = new_user(app, "j27"), fresh("j27-slow"), Postgres(world)
    post = app.post("/api/posts", json={"title": "a", "body": "b"}, headers=user.headers).json()

    def beyond(name: str) -> str:
        select = f'job="app",endpoint="{ENDPOINT}"'
        return f'sum({name}_count{{{select}}}) - sum({name}_bucket{{{select},le="0.5"}})'

    answers: list[int] = []

    def comment() -> None:
        body = {"post_id": post["id"], "body": "x"}
        answers.append(app.post(ENDPOINT, json=body, headers={**user.headers, "X-Event-ID": ident}).status_code)

    with rising(stores, beyond("http_request_duration_seconds"), beyond("http_time_to_first_byte_seconds")):
        sender = threading.Thread(target=comment)
        with postgres.locking("comments"):
            sender.start()
            wait_until("the comment waiting long enough", lambda: postgres.ask(WAITING) == "1", 20)
        sender.join(timeout=30)
    assert answers == [201]
    (slow,) = events(chain(stores, ident), "comment.slow")
    assert (slow["level"], slow["slow"], slow["user_id"]) == ("WARNING", True, user.user_id)
    assert slow["duration_ms"] > 500
    buckets = f'sum by (le) (increase(http_request_duration_seconds_bucket{{job="app",endpoint="{ENDPOINT}"}}[1m]))'
    wait_until("p95 of the panel", lambda: stores.value(f"histogram_quantile(0.95, {buckets})") > 0.5, ARRIVAL_SECONDS)
