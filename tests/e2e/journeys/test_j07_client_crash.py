"""J-07: the app crashes on the phone; both of its trackers tell it, with what went before. A simulated client plays the phone."""

from collections.abc import Callable

import pytest

from tests.support.client import SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.evidence import ARRIVAL_SECONDS, chain, fresh
from tests.support.sentry_sink import SentrySink
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-07", "FLT-05", "FLT-06", "FLT-09", "FLT-13", "FLT-22")]


def open_profile() -> None:
    """A screen that takes for granted what is not there."""
    profile: dict[str, str] | None = None
    profile["name"]  # type: ignore[index]


def build_banner() -> None:
    """A widget that fails while it is built."""
    raise RuntimeError("A RenderFlex overflowed by 12 pixels")


@pytest.mark.parametrize(("crash", "in_zone"), [(open_profile, True), (build_banner, False)], ids=["zone", "widget"])
def test_a_crash_on_the_phone_is_in_both_trackers_with_what_went_before(
    stores: Stores,
    client_events: SentrySink,
    crashlytics: CrashlyticsSink,
    phone: Callable[..., SimulatedClient],
    crash: Callable[[], None],
    in_zone: bool,
) -> None:
    """Crashlytics: stack and the log lines. Sentry: details, stack, and the performance data of the same trace."""
    ident, mobile = fresh("j07"), phone()
    assert mobile.act("GET", "/api/feed", event_id=ident).status == 200
    mobile.log("Profile opened", ident)
    mobile.run(crash, event_id=ident, in_zone=in_zone)

    (report,) = wait_until("the crash report", lambda: crashlytics.errors(ident), ARRIVAL_SECONDS)
    assert report["fatal"] is in_zone, "what the zone catches is fatal, what Flutter catches is not"
    assert crash.__name__ in report["stack"]
    assert report["logs"][-1] == "Profile opened"

    (event,) = wait_until("the error event", lambda: client_events.of(ident), ARRIVAL_SECONDS)
    (error,) = event["exception"]["values"]
    assert error["stacktrace"]["frames"][-1]["function"] == crash.__name__
    trace = event["contexts"]["trace"]["trace_id"]

    def performance() -> list[str]:
        sent = [item for item in client_events.of_type("transaction") if item["contexts"]["trace"]["trace_id"] == trace]
        return [item["transaction"] for item in sent]

    wait_until("the performance data of the same trace", lambda: performance() == [crash.__name__], ARRIVAL_SECONDS)
    assert chain(stores, ident), "the backend's side of the same action is found by the same id"
