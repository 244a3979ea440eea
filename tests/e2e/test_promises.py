"""The promises of the product under faults: nothing lost, nothing doubled, no request disturbed, no secret anywhere."""

import json
import os
import time
from collections import Counter
from typing import Any

import httpx
import psutil
import pytest

from tests.support.files import contents
from tests.support.load import Load
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

LOAD_SECONDS = 5.0
ARRIVAL_SECONDS = 120
OUTAGE_SECONDS = float(os.environ.get("NOBET_TEST_OUTAGE_SECONDS", "30"))
"""How long Elasticsearch is away. The promise is two minutes; 30 s take every path, and keep the suite short."""

BEFORE_THE_ANSWER = {"http.request.started", "feed.requested"}
"""Records that were written before the answer went out: an answered request owes them, whatever is killed after."""


def let_run(seconds: float) -> None:
    """Let the load run for a while: the span of time is the point here, not a wait for something."""
    over = time.monotonic() + seconds
    wait_until("the span of load being over", lambda: time.monotonic() >= over, seconds + 5)


def by_request(stores: Stores, prefix: str) -> dict[str, list[dict[str, Any]]]:
    """All records of requests whose id begins with a prefix, by id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in stores.logs({"prefix": {"request_id": f"{prefix}-"}}):
        found.setdefault(record["request_id"], []).append(record)
    return found


def assert_nothing_is_missing_or_doubled(stores: Stores, load: Load, prefix: str) -> None:
    """The oracle: every obligation arrived, nothing twice, nothing foreign."""
    owed = {"bool": {"filter": [{"prefix": {"request_id": f"{prefix}-"}}, {"terms": {"event": sorted(BEFORE_THE_ANSWER)}}]}}
    expected = len(load.answered) * len(BEFORE_THE_ANSWER)
    wait_until(f"the {expected} records owed to {prefix} arriving", lambda: stores.count(owed) >= expected, ARRIVAL_SECONDS)

    def of_all() -> dict[str, list[dict[str, Any]]]:
        """Requests that were killed are in the count as well, so those of the last answered ones may still be on their way."""
        found = by_request(stores, prefix)
        missing[:] = [ident for ident in load.answered if not {record.get("event") for record in found.get(ident, [])} >= BEFORE_THE_ANSWER]
        return {} if missing else found

    missing: list[str] = []
    try:
        found = wait_until("those of each answered request arriving", of_all, ARRIVAL_SECONDS, pause=1)
    except AssertionError as error:
        raise AssertionError(f"lost: records of {missing}") from error
    for ident, records in found.items():
        written = Counter((record["timestamp"], record.get("event"), record["message"]) for record in records)
        assert max(written.values()) == 1, f"{ident} has a record twice: {written.most_common(1)}"
        assert not any(record["_index"].startswith("dead-") for record in records)


@pytest.mark.req("SHP-07", "LOG-25", "LOG-23")
def test_killing_the_app_under_load_loses_and_doubles_nothing(world: RunningStack, stores: Stores) -> None:
    """FAULTS 1: kill -9 of the app and all its workers while requests are under way."""
    with Load(world.url("app"), "killapp") as load:
        for _ in range(2):
            let_run(LOAD_SECONDS)
            world.kill_all("app")
            world.wait_ready("app")
        let_run(LOAD_SECONDS)
    assert len(load.answered) > 100
    assert_nothing_is_missing_or_doubled(stores, load, "killapp")


@pytest.mark.req("SHP-07")
def test_killing_the_shipper_under_load_loses_and_doubles_nothing(world: RunningStack, stores: Stores) -> None:
    """FAULTS 2: kill -9 of the shipper again and again; what was sent and not noted is sent again and stored once."""
    with Load(world.url("app"), "killship") as load:
        for _ in range(4):
            let_run(LOAD_SECONDS / 2)
            wait_until("the shipper running again", lambda: psutil.pid_exists(world.pid("shipper")), ARRIVAL_SECONDS)
            world.kill_all("shipper")
        world.wait_ready("shipper")
    assert set(load.statuses) == {200}
    assert_nothing_is_missing_or_doubled(stores, load, "killship")


@pytest.mark.req("SHP-07", "SHP-08", "LOG-25")
def test_an_outage_of_elasticsearch_disturbs_no_request_and_costs_no_record(world: RunningStack, stores: Stores) -> None:
    """No 5xx while it is away, the shipper's metrics say so, and everything arrives after."""
    with Load(world.url("app"), "outage") as load:
        started = time.monotonic()
        let_run(LOAD_SECONDS)
        world.stop("elasticsearch")
        away = time.monotonic()
        try:
            retried = 'sum(shipper_retries_total{reason="connection"})'
            wait_until("the failures being counted", lambda: stores.value(retried) > 0, 60)
            let_run(max(0.0, OUTAGE_SECONDS - (time.monotonic() - away)))
            back = time.monotonic()
        finally:
            world.start("elasticsearch")
        let_run(LOAD_SECONDS)
    print(f"p99 before {load.p99(started, away) * 1000:.0f} ms, while Elasticsearch was away {load.p99(away, back) * 1000:.0f} ms")
    assert set(load.statuses) == {200}
    assert_nothing_is_missing_or_doubled(stores, load, "outage")
    wait_until("the backlog being gone", lambda: stores.value("shipper_backlog_bytes") < 100_000, ARRIVAL_SECONDS)


CANARY = "kanarya7f3Qx"
"""Stands for a secret; no store may hold it."""

PLANTED = [
    ("GET", f"/feed?token={CANARY}a", {}, None),
    ("GET", "/feed", {"Authorization": f"Bearer {CANARY}b"}, None),
    ("GET", "/feed", {"Cookie": f"session={CANARY}c; theme={CANARY}c"}, None),
    ("GET", f"/crash?password={CANARY}d", {"Cookie": f"sid={CANARY}d"}, None),
    ("POST", "/posts", {}, {"title": f"{CANARY}e", "body": f"{CANARY}e"}),
    ("POST", "/posts", {}, {"title": "f", "password": f"{CANARY}f"}),
    ("POST", "/suggest", {"X-Api-Key": f"{CANARY}g"}, {"user_id": "7", "topic": f"{CANARY}g"}),
    ("GET", "/feed", {"X-Event-ID": f"{CANARY}h with spaces"}, None),
    ("GET", "/feed", {"User-Agent": f"agent password={CANARY}i"}, None),
    ("GET", f"/debug?api_key={CANARY}j", {"User-Agent": f"token={CANARY}j"}, None),
]


@pytest.mark.req("PRV-01", "PRV-02", "PRV-06", "PRV-10", "AUT-08", "TST-10")
def test_a_secret_of_a_request_is_in_no_store(world: RunningStack, app: httpx.Client, stores: Stores, error_events: SentrySink) -> None:
    """FAULTS 21: in header, cookie, query, body, id and user agent; searched in every store and in standard output."""
    traces = []
    user = new_user(app, "canary")
    for place, (method, path, headers, body) in enumerate(PLANTED):
        ident = headers.get("X-Event-ID") or f"canary-{place}"
        signed_in = user.headers if path == "/posts" else {}
        answer = app.request(method, path, headers={**signed_in, **headers, "X-Event-ID": ident}, json=body)
        shown = answer.headers["x-request-id"]
        records = wait_until(f"the end of {shown}", lambda shown=shown: _has_end(stores.of_request(shown)), ARRIVAL_SECONDS)  # type: ignore[misc]
        traces.append(records[0]["trace_id"])
    wait_until("the error events", lambda: error_events.of("canary-3") and error_events.of("canary-9"), ARRIVAL_SECONDS)
    assert stores.logs({"query_string": {"query": "*"}}), "the search below must have something to search"
    assert CANARY not in json.dumps(stores.logs({"match_all": {}}))
    assert CANARY not in json.dumps(error_events.events)
    assert CANARY not in json.dumps([stores.trace(trace_id) for trace_id in traces])
    for service in ("app", "voice", "shipper"):
        token = {"Authorization": f"Bearer {world.secret('METRICS_TOKEN')}"}
        assert CANARY not in httpx.get(f"{world.url(service)}/metrics", headers=token, timeout=60).raise_for_status().text
    searched = contents(world.spool, world.declared.paths.log_file("app").parent)
    assert searched[str(world.declared.paths.log_file("app"))]
    assert [path for path, content in searched.items() if CANARY.encode() in content] == []


def _has_end(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return records if any(str(record.get("event", "")).startswith("http.request.") and "outcome" in record for record in records) else []


@pytest.mark.req("ALR-08", "UPT-02", "ALD-01", "ALD-05", "ALD-12", "ALD-14")
def test_stopping_the_app_sends_a_mail_and_starting_it_another(world: RunningStack, stores: Stores) -> None:
    """ApiDown by a real stop: rule, Alertmanager, mail with runbook link, and the mail that it is over."""
    earlier = len(stores.mails("ApiDown"))

    def fresh(word: str) -> list[dict[str, Any]]:
        return [mail for mail in stores.mails("ApiDown")[earlier:] if word in mail["subject"]]

    world.stop("app")
    try:
        fired = wait_until("the mail about ApiDown", lambda: fresh("FIRING"), 240)
    finally:
        world.start("app")
    assert "ApiDown (critical)" in fired[0]["text"]  # the subject says so only where the mail is about nothing else
    assert "runbook" in fired[0]["text"].lower()
    assert world.secret("METRICS_TOKEN") not in json.dumps(fired)
    over = wait_until("the mail that it is over", lambda: fresh("RESOLVED"), 240)
    assert len(over) == 1
