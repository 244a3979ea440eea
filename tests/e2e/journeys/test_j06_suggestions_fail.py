"""J-06: the suggestion service fails, is too slow, and is then left alone for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import pytest

from tests.support.client import SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.evidence import ARRIVAL_SECONDS, chain, events, fresh, rising
from tests.support.load import Load
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-06", "ERR-06", "ERR-09", "LOG-18", "SEB-18")]

WELL: Final[dict[str, float | str]] = {"failure_share": 0, "hang_share": 0, "failure_status": 503, "failure_code": "model_overloaded"}
IN_A_ROW_WELL = 12
"""Answers in a row that say both workers' circuits are closed."""


@contextmanager
def knobs(world: RunningStack, app: httpx.Client) -> Iterator[Callable[..., None]]:
    """Turns the voice service's knobs; at the end they are back, and the app has seen it."""

    def turn(**change: float | str) -> None:
        token = {"Authorization": f"Bearer {world.secret('METRICS_TOKEN')}"}
        httpx.patch(f"{world.url('voice')}/admin/knobs", json=change, headers=token, timeout=30, trust_env=False).raise_for_status()

    try:
        yield turn
    finally:
        turn(**WELL)
        wait_until("suggestions coming again from every worker", lambda: _all_well(app), 60)


def _all_well(app: httpx.Client) -> bool:
    return all(_ask_anew(app).status_code == 200 for _ in range(IN_A_ROW_WELL))


def _ask_anew(app: httpx.Client, ident: str = "", user_id: str = "42") -> httpx.Response:
    """Over a connection of its own, so that any worker may answer."""
    headers = {"X-Event-ID": ident} if ident else {}
    body = {"user_id": user_id, "topic": f"tea for {user_id}"}
    return httpx.post(f"{app.base_url}/api/suggest", json=body, headers=headers, timeout=30, trust_env=False)


def _alerts(stores: Stores) -> list[str]:
    return [row["metric"]["alertname"] for row in stores.query('ALERTS{alertname=~"HighErrorRate|ErrorRateElevated",service="app"}')]


def test_a_single_failure_is_a_warning_a_502_and_no_alert(
    world: RunningStack,
    app: httpx.Client,
    stores: Stores,
    crashlytics: CrashlyticsSink,
    error_events: SentrySink,
    phone: Callable[..., SimulatedClient],
) -> None:
    """Record with code and user, 502 with a detail for the phone, its log line with the code, and silence as long as the rate is low."""
    ident = fresh("j06-code")
    answered = 'sum(http_requests_total{job="app",endpoint="/api/suggest",status_code="502"})'
    with Load(world.url("app"), fresh("j06-load")), knobs(world, app) as turn:
        wait_until("earlier errors being no longer in the rates", lambda: not _alerts(stores), 240)
        with rising(stores, answered, 'sum(suggestions_total{outcome="failure"})'):
            turn(failure_share=1, failure_status=500, failure_code="no_gpu")
            action = phone().act("POST", "/api/suggest", event_id=ident, json={"user_id": "42", "topic": "tea"})
            turn(failure_share=0)
        assert action.status == 502
        assert "suggestion service failed" in action.body["detail"]
        assert action.body["code"] == "no_gpu"
        (warning,) = events(chain(stores, ident), "suggestion.failed")
        assert (warning["level"], warning["error_code"], warning["user_id"]) == ("WARNING", "no_gpu", "42")
        line = "POST /api/suggest answered 502 (no_gpu)"
        wait_until("the phone's log line", lambda: line in crashlytics.logs(ident), ARRIVAL_SECONDS)
        assert _alerts(stores) == [], "one failure among thousands of requests wakes nobody"


def test_time_outs_are_one_issue_and_a_service_that_keeps_failing_is_left_alone(
    world: RunningStack, app: httpx.Client, stores: Stores, error_events: SentrySink
) -> None:
    """502 with `timeout` and one fingerprint for all; then 503 with Retry-After and an open circuit; then all is well by itself."""
    prefix = fresh("j06-slow")
    with knobs(world, app) as turn:
        turn(hang_share=1)
        with rising(stores, 'sum(suggestions_total{outcome="timeout"})', by=2):
            slow = [_ask_anew(app, f"{prefix}-{number}", user_id=str(number)) for number in range(2)]
        assert {(answer.status_code, answer.json()["code"]) for answer in slow} <= {(502, "timeout"), (503, "circuit_open")}
        (warning,) = events(chain(stores, f"{prefix}-0"), "suggestion.timed_out")
        assert (warning["level"], warning["user_id"]) == ("WARNING", "0")
        wait_until("the error event", lambda: error_events.of(f"{prefix}-0"), ARRIVAL_SECONDS)
        issues = {tuple(event["fingerprint"]) for number in range(2) for event in error_events.of(f"{prefix}-{number}")}
        assert len(issues) == 1, "whatever their texts say"

        turn(hang_share=0, failure_share=1)
        refused = wait_until("a circuit opening", lambda: _refused(_ask_anew(app, f"{prefix}-open")), 60)
        assert refused is not None
        assert (refused.status_code, refused.json()["code"]) == (503, "circuit_open")
        assert int(refused.headers["Retry-After"]) >= 1
        wait_until("the state in Prometheus", lambda: stores.value('max(circuit_breaker_state{dependency="voice"})') == 2, ARRIVAL_SECONDS)
    wait_until("the circuits being closed", lambda: stores.value('max(circuit_breaker_state{dependency="voice"})') == 0, ARRIVAL_SECONDS)
    said = {"bool": {"filter": [{"prefix": {"event": "circuit."}}, {"term": {"component": "voice"}}]}}
    life = {"circuit.opened", "circuit.half_open", "circuit.closed"}
    wait_until("the records of its life", lambda: {record["event"] for record in stores.logs(said)} >= life, ARRIVAL_SECONDS)


def _refused(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.json().get("code") == "circuit_open" else None
