"""J-14: "it was broken at 2:47pm". From a user and a time to the request, its whole chain, its error event and its trace."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.evidence import ARRIVAL_SECONDS, chain, events, table_away
from tests.support.sentry_sink import SentrySink
from tests.support.servers import Postgres
from tests.support.stack import RunningStack
from tests.support.stores import Stores, has_jaeger
from tests.support.suggesting import suggested
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-14", "COR-16", "COR-17")]


def _of_user(user_id: str, since: datetime, until: datetime) -> dict[str, Any]:
    """What support types: access records of a user in a window of time that failed."""
    return {
        "bool": {
            "filter": [
                {"term": {"user_id": user_id}},
                {"range": {"@timestamp": {"gte": since.isoformat(), "lte": until.isoformat()}}},
                {"exists": {"field": "endpoint"}},
                {"range": {"status_code": {"gte": 500}}},
            ]
        }
    }


def _trace_of(stores: Stores, trace_id: str, *names: str) -> list[dict[str, Any]]:
    spans = stores.trace(trace_id)
    return spans if set(names) <= {span["operationName"] for span in spans} else []


def test_a_time_and_a_user_lead_to_everything(world: RunningStack, app: httpx.Client, stores: Stores, error_events: SentrySink) -> None:
    """Among the user's other requests and other users' failures the one is found; its id gives every step, the event and the spans."""
    user, other = new_user(app, "j14"), new_user(app, "j14-other")
    since = datetime.now(UTC) - timedelta(seconds=5)
    post = app.post("/api/posts", json={"title": "a", "body": "b"}, headers=user.headers).json()
    suggestion = app.post("/api/suggest", json={"user_id": user.user_id, "topic": "tea"}, headers=user.headers)
    with table_away(Postgres(world), "comments"):
        for somebody in (other, user):
            answer = app.post(f"/api/posts/{post['id']}/comments", json={"body": "x"}, headers=somebody.headers)
            assert answer.status_code == 500
    until = datetime.now(UTC) + timedelta(seconds=5)

    def failed() -> list[dict[str, Any]]:
        # On a busy machine the suggestion may have come too late and failed as well.
        late = suggestion.headers["x-request-id"]
        return [record for record in stores.logs(_of_user(user.user_id, since, until)) if record["request_id"] != late]

    (found,) = wait_until("the user's failed request", failed, ARRIVAL_SECONDS)
    ident = found["request_id"]
    assert (found["method"], found["endpoint"]) == ("POST", "/api/posts/{post_id}/comments")
    assert answer.json()["request_id"] == ident

    records = chain(stores, ident)
    steps = events(records, "http.request.started", "db.query.failed", "comment.failed", "http.request.failed")
    assert [record["event"] for record in steps] == ["http.request.started", "db.query.failed", "comment.failed", "http.request.failed"]
    assert {record["user_id"] for record in steps[1:]} == {user.user_id}, "known from the check of the token on"
    assert "INSERT INTO comments" in steps[1]["statement"]
    assert [record["timestamp"] for record in records] == sorted(record["timestamp"] for record in records)

    (event,) = wait_until("the error event", lambda: error_events.of(ident), ARRIVAL_SECONDS)
    (trace_id,) = {record["trace_id"] for record in records}
    assert (event["tags"]["trace_id"], event["user"]["id"]) == (trace_id, user.user_id)
    assert any("SELECT posts.id" in crumb["message"] for crumb in event["breadcrumbs"]["values"]), "the query before the one that failed"
    assert has_jaeger(world)
    spans = wait_until("the trace", lambda: _trace_of(stores, trace_id, "POST /api/posts/{post_id}/comments", "db.query"), ARRIVAL_SECONDS)
    assert len([span for span in spans if span["operationName"] == "db.query"]) == 2


@pytest.mark.req("COR-15", "TRC-03")
def test_a_call_to_another_service_is_in_the_chain_too(world: RunningStack, app: httpx.Client, stores: Stores) -> None:
    """The other service's records are under the same id and trace, between the question and the answer."""
    user = new_user(app, "j14-call")
    ident = suggested(app, "j14-call", "/api/suggest", user.headers)
    chain(stores, ident, service="voice")
    records = chain(stores, ident)
    steps = [record["event"] for record in events(records, "suggestion.requested", "voice.suggested", "suggestion.received")]
    assert steps == ["suggestion.requested", "voice.suggested", "suggestion.received"]
    asked = events(records, "suggestion.requested", "suggestion.received")
    assert {record["user_id"] for record in asked} == {user.user_id}, "the token's user, not the body's"
    (trace_id,) = {record["trace_id"] for record in records}
    wait_until("the trace", lambda: _trace_of(stores, trace_id, "suggestion.fetch", "suggestion.compute"), ARRIVAL_SECONDS)
