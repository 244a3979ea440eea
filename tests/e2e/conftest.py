"""The whole stack once, with an error tracker's stand-in, and what arrived in its stores."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.client import SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.evidence_live import Evidence, gather
from tests.support.expiry import Expiry
from tests.support.sentry_sink import SentrySink
from tests.support.slack_catcher import SlackCatcher
from tests.support.stack import RunningStack, whole_stack
from tests.support.stores import Stores, has_jaeger
from tests.support.users import new_user
from tests.support.waiting import wait_until

JAEGER_SECONDS = 900
"""A cold build of Jaeger takes up to six minutes on two idle cores."""


@pytest.fixture(scope="session")
def error_events() -> Iterator[SentrySink]:
    """Takes the error events of the stack's processes."""
    with SentrySink() as sink:
        yield sink


@pytest.fixture(scope="session")
def slack() -> Iterator[SlackCatcher]:
    """Takes what the stack tells Slack."""
    with SlackCatcher() as catcher:
        yield catcher


@pytest.fixture(scope="session")
def pager() -> Iterator[SlackCatcher]:
    """Takes the events for PagerDuty: JSON over HTTP, too."""
    with SlackCatcher() as catcher:
        yield catcher


@pytest.fixture(scope="session")
def world(error_events: SentrySink, slack: SlackCatcher, pager: SlackCatcher) -> Iterator[RunningStack]:
    """The whole stack, running, with Jaeger where Go is installed."""
    stack = whole_stack(
        SENTRY_DSN=error_events.dsn,
        LOG_TRACEBACKS="always",
        SENTRY_EVENTS_PER_MINUTE_OF_A_KIND="0",  # one journey's crashes must not leave out another's
        SENTRY_EVENTS_PER_MINUTE="0",
        SHIPPER_BACKOFF_MAX_SECONDS="5",
        SLACK_WEBHOOK_URL=slack.url,
        PAGERDUTY_URL=pager.url,
        PAGERDUTY_KEY="key-of-the-pager",
        ONCALL_POLICY=str(Path(__file__).with_name("oncall-policy.yml")),
    )
    try:
        stack.need()
        if has_jaeger(stack):
            stack.wait_ready("jaeger", JAEGER_SECONDS)
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="session")
def stores(world: RunningStack) -> Stores:
    """What is in the stores."""
    return Stores(world)


@pytest.fixture(scope="session")
def app(world: RunningStack) -> Iterator[httpx.Client]:
    """A client for the app."""
    with httpx.Client(base_url=world.url("app"), timeout=30) as client:
        wait_until("the app answering", lambda: client.get("/health/ready").status_code == 200, 60)
        yield client


@pytest.fixture(scope="session")
def live(world: RunningStack, stores: Stores, app: httpx.Client) -> Evidence:
    """What dashboards, rules and the telemetry contract find in the stack while the demo plays."""
    return gather(world, stores, app)


@pytest.fixture
def signed_in(app: httpx.Client) -> dict[str, str]:
    """Headers of a user who has just registered and signed in."""
    return new_user(app).headers


@pytest.fixture(scope="session")
def client_events() -> Iterator[SentrySink]:
    """Takes the error events of simulated clients: a project of their own, apart from the backend's."""
    with SentrySink() as sink:
        yield sink


@pytest.fixture(scope="session")
def crashlytics() -> Iterator[CrashlyticsSink]:
    """Takes the crash reports of simulated phones."""
    with CrashlyticsSink() as sink:
        yield sink


@pytest.fixture
def phone(app: httpx.Client, client_events: SentrySink, crashlytics: CrashlyticsSink) -> Iterator[Callable[..., SimulatedClient]]:
    """Makes simulated phones against the running app: `phone(token=…)`; all are closed at the end."""
    made: list[SimulatedClient] = []

    def make(**options: str) -> SimulatedClient:
        made.append(
            SimulatedClient(str(app.base_url), dsn=client_events.dsn, crashlytics=crashlytics.url, traces_sample_rate=1.0, **options)
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def expiry(
    world: RunningStack, stores: Stores, error_events: SentrySink, client_events: SentrySink, crashlytics: CrashlyticsSink
) -> Expiry:
    """What an expired token leaves behind."""
    return Expiry(world, stores, error_events, client_events, crashlytics)
