"""J-22: the error tracker's plan is nearly used up; the operator halves the rate by a setting, and what is critical stays complete."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.core.error_quota import FOLDER
from app.core.sampling import share_of
from tests.support.evidence import ARRIVAL_SECONDS, fresh, rising
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e]

NEAR = 79_990
"""Of the plan's 100,000: the warning comes at 80 %."""

REQUESTS = 100
ALERT_SECONDS = 120
"""The rule holds for 30 s in a test stack."""


def month_file(world: RunningStack) -> Path:
    """Where all processes of the machine count this month's events."""
    return world.spool / FOLDER / f"sent-{time.strftime('%Y-%m', time.gmtime())}"


@contextmanager
def month_begins_at(world: RunningStack, number: int) -> Iterator[None]:
    """This month has seen so many events already; afterwards it has as many as it had."""
    file = month_file(world)
    before = file.read_text() if file.exists() else "0\n"
    file.write_text(f"{number:<31}\n")
    try:
        yield
    finally:
        file.write_text(f"{before.strip():<31}\n")


@contextmanager
def operator_sets(world: RunningStack, **settings: str) -> Iterator[None]:
    """Lines in `.env` and a restart of the app: no code changes. Undone afterwards."""
    file = world.declared.paths.env_file
    before = file.read_text()

    def restart(text: str) -> None:
        file.write_text(text)
        world.reopen()
        world.need("app")

    restart(before + "".join(f"{name}={value}\n" for name, value in settings.items()))
    try:
        yield
    finally:
        restart(before)


@pytest.mark.req("J-22", "SMP-04")
def test_a_warning_comes_before_the_plan_is_used_up(
    world: RunningStack, app: httpx.Client, stores: Stores, error_events: SentrySink
) -> None:
    """A WARNING record at 80 %, the counter as a metric, and an alert."""
    quota_low = {"term": {"event": "error_tracking.quota_low"}}
    earlier = stores.count(quota_low)
    with month_begins_at(world, NEAR):
        idents = [fresh("j22-near") for _ in range(12)]
        for ident in idents:
            app.get("/crash", headers={"X-Event-ID": ident})
        wait_until("the events", lambda: all(error_events.of(ident) for ident in idents), ARRIVAL_SECONDS)
        wait_until("one warning record", lambda: stores.count(quota_low) == earlier + 1, ARRIVAL_SECONDS)
        wait_until("the counter", lambda: stores.value("max(error_events_month)") >= NEAR + len(idents), ARRIVAL_SECONDS)
        firing = 'ALERTS{alertname="ErrorQuotaLow",alertstate="firing"}'
        wait_until("the alert", lambda: stores.query(firing), ALERT_SECONDS)
    wait_until("the alert being over", lambda: not stores.query(firing), ALERT_SECONDS)


@pytest.mark.req("J-22", "SMP-01", "SMP-02", "SMP-03", "SMP-09")
def test_at_half_the_rate_half_the_events_come_and_critical_ones_are_complete(
    world: RunningStack, app: httpx.Client, stores: Stores, error_events: SentrySink
) -> None:
    """The id decides, so exactly those below the rate arrive; records and counters know all of them; with more workers too."""
    usual, grave = ([f"{fresh('j22')}-{number}" for number in range(REQUESTS)] for _ in range(2))
    refused = 'sum(http_requests_total{job="app",endpoint="/api/profile",status_code="401"})'
    crashed = 'sum(http_requests_errors_total{job="app",endpoint="/crash",status_code="500"})'
    changed = {"SENTRY_SAMPLE_RATE": "0.5", "SENTRY_ALWAYS_SEND": "fatal,payment,ZeroDivisionError", "WEB_CONCURRENCY": "3"}
    with operator_sets(world, **changed), rising(stores, refused, crashed, by=REQUESTS):
        for ident in usual:
            answer = app.get("/api/profile", headers={"X-Event-ID": ident, "Authorization": "Bearer no-such-token"})
            assert answer.status_code == 401
        for ident in grave:
            assert app.get("/crash", headers={"X-Event-ID": ident}).status_code == 500
        wait_until("every critical event", lambda: all(error_events.of(ident) for ident in grave), ARRIVAL_SECONDS)
    expected = {ident for ident in usual if share_of(ident) < 0.5}
    wait_until("every usual event below the rate", lambda: all(error_events.of(ident) for ident in expected), ARRIVAL_SECONDS)
    sent = {ident for ident in usual if error_events.of(ident)}
    assert sent == expected
    assert REQUESTS * 0.3 < len(sent) < REQUESTS * 0.7

    ended: Callable[[], int] = lambda: stores.count(  # noqa: E731
        {
            "bool": {
                "filter": [
                    {"terms": {"request_id": usual + grave}},
                    {"terms": {"event": ["http.request.completed", "http.request.failed"]}},
                ]
            }
        }
    )
    wait_until("a record of the end of each request", lambda: ended() == 2 * REQUESTS, ARRIVAL_SECONDS)
