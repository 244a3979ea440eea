"""The dashboards in a real browser, drawn by `nobet preview` from the running stack."""

import json
from collections.abc import Iterator

import httpx
import pytest
from rich.console import Console

from app.stack.preview.command import DASHBOARDS, page_of
from tests.pictures.serving import Served, served
from tests.pictures.take import show
from tests.support.browser import Browser
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

UIDS = sorted(json.loads(path.read_text(encoding="utf-8"))["uid"] for path in DASHBOARDS.glob("*.json"))


@pytest.fixture(scope="module")
def preview(world: RunningStack) -> Iterator[Served]:
    """The preview of the running stack."""
    with served(page_of(world.declared, Console(quiet=True))) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser."""
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def traffic(app: httpx.Client, stores: Stores) -> None:
    """Some requests, good and bad, that have reached Prometheus."""
    for place in range(10):
        app.get("/feed", headers={"X-Event-ID": f"preview-{place}"})
    app.get("/crash")
    wait_until("the requests in Prometheus", lambda: stores.query('http_requests_total{endpoint="/feed"}'), 60)


@pytest.mark.req("DSH-09", "DSH-15")
@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("uid", UIDS)
def test_every_panel_is_drawn_without_an_error(preview: Served, browser: Browser, uid: str) -> None:
    """Each panel of each dashboard is drawn from the live stores: no failed query, no kind of panel that can't be drawn."""
    shown = show(browser, preview.address, uid)
    assert shown.failures == []
    assert shown.panels


@pytest.mark.req("DSH-01")
@pytest.mark.usefixtures("traffic")
def test_panels_show_what_the_stores_hold(preview: Served, browser: Browser) -> None:
    """What is drawn is data, not only frames: the requests that were made a moment ago are in the API dashboard."""
    shown = show(browser, preview.address, "nobet-api-performance")
    drawn = {panel["title"] for panel in shown.panels if panel["state"] == "drawn"}
    assert {"Requests by status class", "Percentiles", "Endpoints"} <= drawn
    assert "/feed" in browser.run("document.body.innerText")


def test_a_failed_query_is_shown_and_found(preview: Served, browser: Browser) -> None:
    """A panel whose store refuses its query says so in words; that is what the test above looks for."""
    panes = {"a": {"queries": [{"refId": "A", "expr": "sum(", "datasource": {"type": "prometheus", "uid": "prometheus"}}]}}
    browser.open(f"{preview.address}/explore?still=1&panes={json.dumps(panes)}")
    (panel,) = browser.run("window.previewPanels()")
    assert panel["state"] == "error"
    assert "parse error" in panel["error"]
