"""J-08: a bad parameter and a missing page are counted and logged at a low level, and wake nobody."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.client import SimulatedClient
from tests.support.evidence import ARRIVAL_SECONDS, chain, fresh, rising
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-08", "ERR-07", "LOG-30", "SEB-12")]


def test_a_clients_own_mistakes_are_counted_and_nothing_more(
    world: RunningStack, app: httpx.Client, stores: Stores, error_events: SentrySink, phone: Callable[..., SimulatedClient]
) -> None:
    """400 and 404: INFO records, counters, a 4xx ratio; no error event, and no rule that could mail about them."""
    mobile = phone(token=new_user(app, "j08").access_token)
    bad, missing, lost = fresh("j08-bad"), fresh("j08-missing"), fresh("j08-lost")
    counted = 'sum(http_requests_total{{job="app",endpoint="{}",status_code="{}"}})'
    counters = [counted.format("/api/feed", 400), counted.format("/api/posts/{post_id}", 404), counted.format("unmatched", 404)]
    with rising(stores, *counters):
        statuses = [
            mobile.act("GET", "/api/feed?limit=many", event_id=bad).status,
            mobile.act("GET", "/api/posts/999999999", event_id=missing).status,
            mobile.act("GET", "/api/nowhere", event_id=lost).status,
        ]
    assert statuses == [400, 404, 404]
    for ident in (bad, missing, lost):
        records = chain(stores, ident)
        # On a busy machine a query may be slow, which is no mistake of the client.
        assert {record["level"] for record in records if record.get("event") != "db.query.slow"} <= {"DEBUG", "INFO"}
        assert "many" not in str([record["message"] for record in records])
        assert error_events.of(ident) == []
    ratio = 'sum(rate(http_requests_total{job="app",status_code=~"4.."}[1m])) / sum(rate(http_requests_total{job="app"}[1m]))'
    mobile.act("GET", "/api/feed?limit=many")  # a rate shows only what comes after the first of its kind
    wait_until("the 4xx ratio", lambda: stores.value(ratio) > 0, ARRIVAL_SECONDS)
    groups = httpx.get(f"{world.url('prometheus')}/api/v1/rules", params={"type": "alert"}, timeout=30).json()["data"]["groups"]
    rules = {rule["name"]: rule["query"] for group in groups for rule in group["rules"]}
    assert rules
    assert [name for name, query in rules.items() if 'status_code=~"4' in query or 'status_code="4' in query] == []
    assert [mail["subject"] for mail in stores.mails("") if bad in str(mail) or missing in str(mail) or lost in str(mail)] == []
