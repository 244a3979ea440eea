"""J-20: good and bad logins are watched."""

import uuid
from typing import Any

import httpx
import pytest

from tests.support.expiry import ARRIVAL_SECONDS, count, messages
from tests.support.sentry_sink import SentrySink
from tests.support.stores import Stores
from tests.support.users import PASSWORD, registered, sign_in
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

GUESSES = 12
"""Two more than LOGIN_FAILURES_PER_ACCOUNT and than the alert's limit of 10."""

ALERT_SECONDS = 90
AGENT = "Intruder/1.0"


def _logins(stores: Stores, user_id: str, outcome: str) -> list[dict[str, Any]]:
    """What the daily review asks: the logins of a user with an outcome."""
    terms = [{"term": {"event": "user_login"}}, {"term": {"outcome": outcome}}, {"term": {"user_id": user_id}}]
    return stores.logs({"bool": {"filter": terms}}, "logs-*")


def _total(stores: Stores, outcome: str) -> float:
    """What the security panel counts."""
    return count(stores, f'sum(logins_total{{service="app",outcome="{outcome}"}})')


@pytest.mark.req("J-20", "LOG-20", "LOG-21", "AUT-07", "BIZ-07", "PRV-03", "ALR-19", "SEB-16", "C-15", "C-37")
def test_bad_logins_are_found_counted_and_alarm(stores: Stores, app: httpx.Client, error_events: SentrySink) -> None:
    """Each login is one record with outcome, user, truncated address and user agent; a burst of bad ones raises the alert."""
    mark = f"j20-{uuid.uuid4().hex[:8]}"
    name, user_id = registered(app, "j20")
    stores.caught_up()
    before = {outcome: _total(stores, outcome) for outcome in ("success", "failure", "limited")}
    assert sign_in(app, name, **{"X-Event-ID": f"{mark}-good", "User-Agent": "Phone/1.0"}).status_code == 200
    for number in range(GUESSES):
        answer = sign_in(app, name, "a wrong guess", **{"X-Event-ID": f"{mark}-{number}", "User-Agent": AGENT})
        assert answer.status_code == (401 if number < 10 else 429)
    assert int(answer.headers["Retry-After"]) > 0

    wait_until("the bad logins arriving", lambda: len(_logins(stores, user_id, "failure")) == 10, ARRIVAL_SECONDS)
    (good,) = wait_until("the good one arriving", lambda: _logins(stores, user_id, "success"), ARRIVAL_SECONDS)
    bad = _logins(stores, user_id, "failure")
    assert (good["request_id"], good["user_agent"], good["level"]) == (f"{mark}-good", "Phone/1.0", "INFO")
    assert [record["request_id"] for record in bad] == [f"{mark}-{number}" for number in range(10)]
    assert {(record["client_ip"], record["user_agent"], record["level"]) for record in bad} == {("127.0.0.0", AGENT, "WARNING")}
    everything = str(stores.logs({"prefix": {"request_id": mark}}))
    assert "127.0.0.1" not in everything
    assert name not in everything
    assert PASSWORD not in everything

    expected = {"success": 1, "failure": 10, "limited": 2}
    wait_until("the outcomes being counted", lambda: all(_total(stores, key) == before[key] + expected[key] for key in expected), 30)
    limited = wait_until(
        "the message about the burst arriving", lambda: messages(error_events, f"{mark}-10", "Too many failed logins"), ARRIVAL_SECONDS
    )
    (crumb,) = [crumb for crumb in limited[0]["breadcrumbs"]["values"] if crumb["category"] == "auth"]
    assert (crumb["message"], crumb["level"]) == ("Login refused after too many failures", "warning")
    wait_until("the alert on the burst firing", lambda: stores.query('ALERTS{alertname="FailedLogins",alertstate="firing"}'), ALERT_SECONDS)
