"""J-25: a profile picture or a banner can't be had; the user sees a toast, the client reports, the backend sleeps on."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.client import SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.evidence import ARRIVAL_SECONDS, fresh
from tests.support.processes import free_port
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-25", "PRF-15")]


def test_a_picture_that_fails_is_the_clients_report_and_no_alert(
    world: RunningStack,
    app: httpx.Client,
    stores: Stores,
    error_events: SentrySink,
    client_events: SentrySink,
    crashlytics: CrashlyticsSink,
    phone: Callable[..., SimulatedClient],
) -> None:
    """From the origin it comes with half an hour to keep and a tag; from a CDN that is away, or gone from it, a toast and a report."""
    user, mobile = new_user(app, "j25"), phone()
    for path in (f"/api/users/{user.user_id}/picture", f"/api/users/{user.user_id}/banner"):
        first = app.get(path)
        assert (first.status_code, first.headers["cache-control"]) == (200, "public, max-age=1800")
        assert app.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        assert mobile.show_image(f"{app.base_url}{path}")
    assert mobile.shown == []

    errors = 'sum(http_requests_errors_total{job="app",endpoint=~".*(picture|banner|images).*"}) or vector(0)'
    stores.caught_up()
    before, reported = stores.value(errors), len(error_events.events)
    away, gone = fresh("j25-away"), fresh("j25-gone")
    assert not mobile.show_image(f"http://127.0.0.1:{free_port()}/users/{user.user_id}/banner", event_id=away)
    assert not mobile.show_image(f"{app.base_url}/api/images/999999999", event_id=gone)
    assert mobile.shown == ["The picture could not be loaded."] * 2
    for ident in (away, gone):
        (error,) = wait_until("the crash report", lambda ident=ident: crashlytics.errors(ident), ARRIVAL_SECONDS)  # type: ignore[misc]
        assert not error["fatal"]
        assert "Picture could not be loaded" in crashlytics.logs(ident)
        (event,) = wait_until("the client's event", lambda ident=ident: client_events.of(ident), ARRIVAL_SECONDS)  # type: ignore[misc]
        assert event["tags"]["event_id"] == ident

    seen = 'sum(http_requests_total{job="app",endpoint="/api/images/{image_id}",status_code="404"})'
    wait_until("the 404 in Prometheus", lambda: stores.value(seen) >= 1, ARRIVAL_SECONDS)
    assert stores.value(errors) == before
    assert [event for event in error_events.events[reported:] if "images" in str(event.get("transaction"))] == []
    assert stores.query('ALERTS{endpoint=~".*(picture|banner|images).*"}') == []
