"""J-18: errors of a page in a real Chromium, each as an event with the id and a masked replay; the backend's records have the same id."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.browser import Browser
from tests.support.evidence import ARRIVAL_SECONDS, chain
from tests.support.sentry_sink import SentrySink
from tests.support.stores import Stores
from tests.support.waiting import wait_until
from tests.support.web_page import WebPage

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-18")]

PRIVATE = "Kanarya"
ACCOUNT = "4242-1717"  # with a hyphen: digits alone stand in a timestamp now and then
"""Stands in a text of the page."""


@pytest.fixture(scope="module")
def page_events() -> Iterator[SentrySink]:
    """The project of the web page."""
    with SentrySink() as sink:
        yield sink


@pytest.fixture(scope="module")
def browser(app: httpx.Client, page_events: SentrySink) -> Iterator[Browser]:
    """The page, open in Chromium, with the running app behind it."""
    with WebPage(str(app.base_url), page_events.dsn) as page, Browser() as chromium:
        chromium.open(page.url)
        yield chromium


def event_of(browser: Browser, sink: SentrySink, action: str) -> tuple[str, dict[str, Any]]:
    """Id and error event of an action of the user."""
    ident = str(browser.run(f"window.actions.{action}()"))
    (event,) = wait_until(f"the event of {action}", lambda: sink.of(ident), ARRIVAL_SECONDS)
    return ident, event


@pytest.mark.req("SEC-02", "SEC-03", "SEC-06", "SEC-07", "SEC-08", "SEC-13")
@pytest.mark.parametrize(("action", "kind"), [("script", "TypeError"), ("rejection", "Error")])
def test_errors_that_nobody_catches_are_events_with_id_and_browser(
    browser: Browser, page_events: SentrySink, action: str, kind: str
) -> None:
    """A throw in a timer and a rejected promise: type, stack, address of the page, what the browser is, environment."""
    _, event = event_of(browser, page_events, action)
    (error,) = event["exception"]["values"]
    assert error["type"] == kind
    assert error["mechanism"]["handled"] is False
    assert event["environment"] == "test"
    assert event["request"]["url"].startswith("http://127.0.0.1")
    assert "Chrom" in event["request"]["headers"]["User-Agent"]


@pytest.mark.req("SEC-04", "SEC-06", "SEC-13", "COR-04", "TST-06", "J-01")
def test_a_failed_call_is_an_event_here_and_a_story_there(
    browser: Browser, page_events: SentrySink, error_events: SentrySink, stores: Stores
) -> None:
    """URL, status and id in the page's event; under the same id the backend's records and its own event."""
    ident, event = event_of(browser, page_events, "api")
    assert event["contexts"]["api"]["url"] == "/api/crash"
    assert (event["contexts"]["api"]["status"], event["contexts"]["api"]["request_id"]) == (500, ident)
    assert browser.run("document.getElementById('notice').textContent") == "Something went wrong. Try again."
    records = chain(stores, ident)
    assert [record["event"] for record in records][-1] == "http.request.failed"
    wait_until("the backend's own event", lambda: error_events.of(ident), ARRIVAL_SECONDS)


@pytest.mark.req("SEC-05")
def test_a_lost_network_is_an_event_of_its_kind(browser: Browser, page_events: SentrySink) -> None:
    """No status, and the tag says network."""
    _, event = event_of(browser, page_events, "network")
    assert (event["tags"]["kind"], event["contexts"]["api"]["status"]) == ("network", 0)


@pytest.mark.req("SEC-09", "SEC-10", "PRV-11")
def test_the_replay_of_a_session_with_an_error_shows_no_text(browser: Browser, page_events: SentrySink) -> None:
    """The event names its replay, the replay was sent, and every text in it is masked."""
    _, event = event_of(browser, page_events, "script")
    replay = event["tags"]["replayId"]
    wait_until("the replay", lambda: any(found["replay_id"] == replay for found in page_events.of_type("replay_event")), ARRIVAL_SECONDS)
    recording = wait_until("its recording", lambda: recorded(page_events), ARRIVAL_SECONDS)
    shown = str(browser.run("document.body.textContent"))
    assert all(text in shown for text in (PRIVATE, ACCOUNT)), "the page shows what the replay must not"
    assert "**** *******" in recording
    assert PRIVATE not in recording
    assert ACCOUNT not in recording


@pytest.mark.req("SEC-12")
def test_without_a_dsn_the_page_works_and_sends_nothing(app: httpx.Client, page_events: SentrySink) -> None:
    """The feed is there; an error goes nowhere, whatever else arrives meanwhile. With one, the same error arrives."""
    sent = {}
    for dsn in (page_events.dsn, ""):
        with WebPage(str(app.base_url), dsn) as page, Browser() as chromium:
            chromium.open(page.url)
            assert chromium.run("window.actions.feed()")
            sent[dsn] = str(chromium.run("window.actions.script()"))
            chromium.run("window.flush()")
    wait_until("the error of the page with a DSN", lambda: page_events.of(sent[page_events.dsn]), ARRIVAL_SECONDS)
    assert page_events.of(sent[""]) == []


def recorded(sink: SentrySink) -> str:
    """All segments of replays that have arrived, as text."""
    texts = []
    for kind, payload in list(sink.items):
        if kind == "replay_recording":
            _, _, body = payload.partition(b"\n")
            texts.append(body.decode() if body[:1] in (b"[", b"{") else zlib.decompress(body).decode())
    return "".join(text for text in texts if json.loads(text))
