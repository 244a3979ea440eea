"""The simulated client keeps the protocol of the real ones. Its counterpart here is a stub of the backend."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest

from tests.support.client import OFFLINE, SIGN_IN, TRY_AGAIN, SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.sentry_sink import SentrySink
from tests.support.waiting import wait_until

ANSWERS: Final = {"/feed": 200, "/broken": 500, "/old-token": 401, "/nowhere": 404, "/suggest": 502}


class StubBackend:
    """Answers each path with its status, and keeps the headers that came."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.seen.append({name.lower(): value for name, value in self.headers.items()})
                body = json.dumps({"detail": self.path, "code": "model_overloaded"}).encode()
                self.send_response(ANSWERS[self.path])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def backend() -> Iterator[StubBackend]:
    """A backend that answers as the path says."""
    stub = StubBackend()
    thread = threading.Thread(target=stub.server.serve_forever, daemon=True)
    thread.start()
    yield stub
    stub.server.shutdown()
    stub.server.server_close()
    thread.join(5)


@pytest.fixture
def sentry() -> Iterator[SentrySink]:
    """The clients' own project."""
    with SentrySink() as sink:
        yield sink


@pytest.fixture
def crashlytics() -> Iterator[CrashlyticsSink]:
    """The phones' crash reports."""
    with CrashlyticsSink() as sink:
        yield sink


@pytest.fixture
def phone(backend: StubBackend, sentry: SentrySink, crashlytics: CrashlyticsSink) -> Iterator[SimulatedClient]:
    """A phone that is signed in."""
    client = SimulatedClient(backend.url, dsn=sentry.dsn, crashlytics=crashlytics.url, token="t0ken", traces_sample_rate=1.0)
    yield client
    client.close()


@pytest.mark.req("FLT-08", "FLT-04")
def test_a_request_carries_the_id_and_the_token(phone: SimulatedClient, backend: StubBackend) -> None:
    """X-Event-ID is a UUID version 4 unless the journey names one, and the bearer token goes along."""
    action = phone.act("GET", "/feed")
    assert (backend.seen[0]["x-event-id"], backend.seen[0]["authorization"]) == (action.event_id, "Bearer t0ken")
    assert action.event_id[14] == "4"
    assert (action.status, phone.shown) == (200, [])


@pytest.mark.req("FLT-05", "FLT-09", "FLT-10", "FLT-14", "TST-06")
def test_a_failure_is_shown_and_reported_to_both_trackers(phone: SimulatedClient, sentry: SentrySink, crashlytics: CrashlyticsSink) -> None:
    """What captureException and recordError send has the same id; the press of the button is logged before the second try."""
    action = phone.act("GET", "/suggest", event_id="j1")
    assert phone.shown == [TRY_AGAIN]
    (event,) = wait_until("the event arrives", lambda: sentry.of("j1"))
    assert event["exception"]["values"][-1]["type"] == "ApiError"
    wait_until("the crash report arrives", lambda: crashlytics.errors("j1"))
    assert crashlytics.logs("j1") == ["GET /suggest answered 502 (model_overloaded)"]
    phone.retry(action)
    wait_until("the second report arrives", lambda: len(crashlytics.errors("j1")) == 2)
    assert "Retry pressed" in crashlytics.errors("j1")[1]["logs"]
    assert "t0ken" not in json.dumps([sentry.events, crashlytics.reports])


@pytest.mark.req("FLT-11", "FLT-13")
def test_an_expired_token_leads_to_the_login_page(phone: SimulatedClient, sentry: SentrySink, crashlytics: CrashlyticsSink) -> None:
    """401: logged out, a Sentry message with the id and a Crashlytics log. 404 is a message only."""
    phone.act("GET", "/old-token", event_id="tok1")
    assert (phone.screen, phone.token, phone.shown) == ("login", "", [SIGN_IN])
    (event,) = wait_until("the message arrives", lambda: sentry.of("tok1"))
    assert (event["message"], event["level"]) == ("Token expired", "warning")
    wait_until("the log arrives", lambda: crashlytics.logs("tok1") == ["Token expired, user logged out"])
    phone.act("GET", "/nowhere", event_id="gone")
    wait_until("the message arrives", lambda: sentry.of("gone"))
    assert crashlytics.errors("gone") == []


@pytest.mark.req("FLT-15", "FLT-16")
def test_reports_of_an_offline_phone_arrive_later_with_their_time(
    phone: SimulatedClient, sentry: SentrySink, crashlytics: CrashlyticsSink
) -> None:
    """What was loaded stays usable; after the reconnection both trackers have id and original time, in one batch."""
    loaded = phone.act("GET", "/feed").body
    phone.online = False
    assert phone.act("GET", "/feed", event_id="dark").body == loaded
    assert phone.shown == [OFFLINE]
    back = datetime.now(UTC)
    phone.online = True
    (event,) = wait_until("the event arrives", lambda: sentry.of("dark"))
    (report,) = wait_until("the crash report arrives", lambda: crashlytics.errors("dark"))
    assert datetime.fromisoformat(report["timestamp"]) < back
    assert datetime.fromisoformat(event["timestamp"]) < back
    assert len(crashlytics.batches) == 1


@pytest.mark.req("FLT-06")
def test_uncaught_errors_reach_both_trackers(phone: SimulatedClient, sentry: SentrySink, crashlytics: CrashlyticsSink) -> None:
    """An error of the zone is fatal to Crashlytics; Sentry has the stack and the trace that it belongs to."""

    def broken_widget() -> None:
        raise TypeError("Null check operator used on a null value")

    phone.run(broken_widget, event_id="crash")
    (report,) = wait_until("the crash report arrives", lambda: crashlytics.errors("crash"))
    assert report["fatal"] is True
    assert "broken_widget" in report["stack"]
    (event,) = wait_until("the event arrives", lambda: sentry.of("crash"))
    (transaction,) = wait_until("the transaction arrives", lambda: sentry.of_type("transaction"))
    assert event["contexts"]["trace"]["trace_id"] == transaction["contexts"]["trace"]["trace_id"]


@pytest.mark.req("FLT-19", "SEC-12")
def test_without_addresses_nothing_is_reported(backend: StubBackend) -> None:
    """A client without DSN and Crashlytics works and sends nothing."""
    phone = SimulatedClient(backend.url)
    assert phone.act("GET", "/broken").status == 500
    phone.close()
