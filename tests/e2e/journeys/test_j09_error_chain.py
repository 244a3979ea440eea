"""J-09: before a release somebody calls /crash and /debug, looks whether tracker, log and counter agree, and turns them off again."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.config import WEAK_SECRETS
from tests.support.bugsink import Bugsink
from tests.support.evidence import ARRIVAL_SECONDS, chain, fresh, rising
from tests.support.processes import Service
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e]

SECRET = "a-secret-of-this-test-alone-4711"


@pytest.mark.req("J-09", "ERR-01", "ERR-02", "ERR-04", "TST-04", "TST-05", "TST-06", "TST-07", "SEB-11", "SEB-23")
@pytest.mark.parametrize("path", ["/crash", "/debug"])
def test_tracker_log_and_counter_agree_about_a_deliberate_error(
    app: httpx.Client, stores: Stores, error_events: SentrySink, path: str
) -> None:
    """One event with the tag and the user agent, one terminal record, one count, under the id that was sent."""
    ident = fresh("j09")
    counted = f'sum(http_requests_errors_total{{job="app",endpoint="{path}",status_code="500"}})'
    with rising(stores, counted, f'sum(http_exceptions_total{{job="app",endpoint="{path}",exception_type="ZeroDivisionError"}})'):
        answer = app.get(path, headers={"X-Event-ID": ident, "User-Agent": "release-check/1"})
    assert (answer.status_code, answer.json()["request_id"]) == (500, ident)
    (event,) = wait_until("the error event", lambda: error_events.of(ident), ARRIVAL_SECONDS)
    assert (event["tags"]["event_id"], event["contexts"]["request"]["user_agent"]) == (ident, "release-check/1")
    (failed,) = [record for record in chain(stores, ident) if record["event"] == "http.request.failed"]
    assert (failed["level"], failed["error_type"], failed["endpoint"]) == ("ERROR", "ZeroDivisionError", path)
    assert event["tags"]["trace_id"] == failed["trace_id"]


@pytest.mark.req("J-09", "ERR-03", "SEB-23", "TST-06")
def test_the_real_tracker_of_the_stack_has_it_too_and_production_answers_404(world: RunningStack, tmp_path: Path) -> None:
    """An instance that reports to Bugsink: both events with the tag. Another in production: no such page."""
    tracker, idents = Bugsink(world), {path: fresh("j09-real") for path in ("/crash", "/debug")}
    with Service("app", tmp_path / "staging", SENTRY_DSN=tracker.dsn) as release:
        for path, ident in idents.items():
            assert release.get(path, ident).status_code == 500
    for ident in idents.values():
        wait_until(f"the event of {ident} in Bugsink", lambda ident=ident: tracker.of(ident), ARRIVAL_SECONDS)  # type: ignore[misc]

    assert SECRET not in WEAK_SECRETS
    secrets: dict[str, Any] = dict.fromkeys(("METRICS_TOKEN", "JWT_SECRET", "ANALYTICS_KEY"), SECRET)
    database = f"sqlite+aiosqlite:///{tmp_path / 'staging' / 'nobet.db'}"
    with Service("app", tmp_path / "live", ENVIRONMENT="production", DATABASE_URL=database, **secrets) as production:
        assert [production.get(path).status_code for path in idents] == [404, 404]
