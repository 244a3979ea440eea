"""J-21: errors happen on a phone without a network; its reports arrive later, with their own time and id. A simulated client plays it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.support.client import OFFLINE, SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.evidence import ARRIVAL_SECONDS, chain, fresh
from tests.support.sentry_sink import SentrySink
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-21", "FLT-15", "FLT-16", "FLT-22")]


def broken_screen() -> None:
    """Fails whether there is a network or not."""
    raise ValueError("a date that is none")


def test_reports_of_an_offline_phone_arrive_after_it_is_back(
    stores: Stores, client_events: SentrySink, crashlytics: CrashlyticsSink, phone: Callable[..., SimulatedClient]
) -> None:
    """Nothing arrives while it is away and the app stays usable; then everything does, and the retry finds the backend."""
    dark, crash, mobile = fresh("j21-dark"), fresh("j21-crash"), phone()
    loaded = mobile.act("GET", "/api/feed").body
    batches = len(crashlytics.batches)
    mobile.online = False
    action = mobile.act("GET", "/api/feed", event_id=dark)
    mobile.run(broken_screen, event_id=crash)
    assert (action.status, action.body) == (0, loaded), "what was loaded last is still shown"
    assert (mobile.shown, mobile.screen) == ([OFFLINE], "home")
    assert client_events.of(dark) + client_events.of(crash) + crashlytics.errors(dark) + crashlytics.errors(crash) == []

    back = datetime.now(UTC)
    mobile.online = True
    for ident in (dark, crash):
        (event,) = wait_until(f"the error event of {ident}", lambda ident=ident: client_events.of(ident), ARRIVAL_SECONDS)  # type: ignore[misc]
        assert datetime.fromisoformat(event["timestamp"]) < back
        (report,) = wait_until(f"the crash report of {ident}", lambda ident=ident: crashlytics.errors(ident), ARRIVAL_SECONDS)  # type: ignore[misc]
        assert datetime.fromisoformat(report["timestamp"]) < back
    assert len(crashlytics.batches) == batches + 1, "all that was kept goes in one upload"

    assert stores.of_request(dark) == [], "the backend never heard of it"
    assert mobile.retry(action).status == 200
    assert chain(stores, dark), "and has it under the same id now"
