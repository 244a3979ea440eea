"""The preview's server: reading calls go through, everything else is refused, passwords stay."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from app.stack.preview.calls import LARGEST_BODY
from app.stack.preview.server import Page, preview_app
from app.stack.preview.sources import Source
from tests.support.asgi import run

PASSWORD = "kept-on-the-server"
SOURCES = {
    "prometheus": Source("prometheus", "Prometheus", "prometheus", "http://prometheus:9090", default=True, options={}),
    "logs": Source(
        "logs", "Logs", "elasticsearch", "http://es:9200", default=False, options={"index": "logs-*"}, secret=("reader", PASSWORD)
    ),
    "jaeger": Source("jaeger", "Traces", "jaeger", "http://jaeger:16686", default=False, options={}),
    "alertmanager": Source("alertmanager", "Alertmanager", "alertmanager", "http://am:9093", default=False, options={}),
}
SEARCH = b'{"index":"users"}\n{"size":0}\n'


class Stores:
    """Stands for the servers behind the page and remembers what they were asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _request: httpx.Response(200, json={"status": "success"})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.asked.append(request)
        return self.answer(request)


class Visitor:
    """A browser on the page."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer to a request."""

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://127.0.0.1:3010") as client:
                return await client.request(method, path, **options)

        answer: httpx.Response = run(ask())
        return answer

    def get(self, path: str) -> httpx.Response:
        """The answer to a GET."""
        return self.request("GET", path)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """The answer to a POST."""
        return self.request("POST", path, **options)


@pytest.fixture
def stores() -> Stores:
    """The servers behind the page."""
    return Stores()


@pytest.fixture
def page(stores: Stores, tmp_path: Path) -> Visitor:
    """A browser on the page, with one dashboard."""
    (tmp_path / "index.html").write_text("<title>page</title>")
    boards = tmp_path / "dashboards"
    boards.mkdir()
    (boards / "one.json").write_text(json.dumps({"uid": "nobet-one", "title": "One", "panels": []}))
    return Visitor(preview_app(Page(tmp_path, boards, SOURCES), httpx.MockTransport(stores)))


ALLOWED = [
    ("POST", "prometheus", "api/v1/query_range"),
    ("POST", "prometheus", "api/v1/query"),
    ("GET", "prometheus", "api/v1/series"),
    ("GET", "prometheus", "api/v1/labels"),
    ("GET", "prometheus", "api/v1/label/service/values"),
    ("GET", "jaeger", "api/traces/4bf92f3577b34da6a3ce929d0e0e4736"),
    ("GET", "jaeger", "api/traces"),
    ("GET", "alertmanager", "api/v2/alerts"),
]
REFUSED = [
    ("POST", "prometheus", "api/v1/admin/tsdb/delete_series"),
    ("POST", "prometheus", "-/quit"),
    ("GET", "prometheus", "api/v1/status/config"),
    ("GET", "prometheus", "api/v1/label/a%2F..%2F..%2Fadmin/values"),
    ("GET", "logs", "_search"),
    ("POST", "logs", "_bulk"),
    ("POST", "logs", "users/_msearch"),
    ("POST", "alertmanager", "api/v2/silences"),
    ("POST", "jaeger", "api/traces"),
    ("GET", "jaeger", "api/traces/..%2F..%2Fconfig"),
]


@pytest.mark.parametrize(("method", "uid", "path"), ALLOWED)
def test_calls_that_read_go_through(page: Visitor, stores: Stores, method: str, uid: str, path: str) -> None:
    """The page asks what Grafana asks, and gets the store's own answer."""
    answer = page.request(method, f"/preview/sources/{uid}/{path}?a=b")
    assert answer.status_code == 200
    assert answer.json() == {"status": "success"}
    assert [str(request.url) for request in stores.asked] == [f"{SOURCES[uid].url}/{path}?a=b"]


@pytest.mark.parametrize(("method", "uid", "path"), REFUSED)
def test_everything_else_is_refused(page: Visitor, stores: Stores, method: str, uid: str, path: str) -> None:
    """A call that changes something, or that no panel needs, never leaves the server."""
    answer = page.request(method, f"/preview/sources/{uid}/{path}", content=SEARCH if method == "POST" else None)
    assert answer.status_code == 403
    assert stores.asked == []


def test_other_methods_are_refused(page: Visitor, stores: Stores) -> None:
    """Nothing can be deleted or put through the page."""
    for method in ("PUT", "DELETE", "PATCH"):
        assert page.request(method, "/preview/sources/logs/_msearch").status_code == 405
    assert stores.asked == []


def test_a_search_stays_within_its_own_indices(page: Visitor, stores: Stores) -> None:
    """Whatever the page writes into a search's header, the source's index pattern is asked, as the reader."""
    assert page.post("/preview/sources/logs/_msearch", content=SEARCH).status_code == 200
    header, body = stores.asked[0].content.splitlines()
    assert json.loads(header)["index"] == "logs-*"
    assert json.loads(body) == {"size": 0}
    assert stores.asked[0].headers["authorization"] == httpx.BasicAuth("reader", PASSWORD)._auth_header


@pytest.mark.parametrize("body", [b"", b"{}\n", b"{}\nnot json\n", b"{}\n[1]\n", b"{}\n{}\n" * 51])
def test_what_is_no_search_is_refused(page: Visitor, stores: Stores, body: bytes) -> None:
    """A malformed, empty or endless multi-search is not passed on."""
    assert page.post("/preview/sources/logs/_msearch", content=body).status_code == 403
    assert stores.asked == []


def test_a_large_body_is_refused(page: Visitor, stores: Stores) -> None:
    """A page can't fill the server's memory."""
    assert page.post("/preview/sources/prometheus/api/v1/query", content=b"a" * (LARGEST_BODY + 1)).status_code == 403
    assert stores.asked == []


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
def test_another_page_gets_nothing(page: Visitor, stores: Stores, headers: dict[str, str]) -> None:
    """A page of somebody else in the same browser can't read the stores through this one, not by a name of its own either."""
    answer = page.post("/preview/sources/prometheus/api/v1/query", headers=headers)
    assert answer.status_code in (400, 403)
    assert stores.asked == []


def test_a_store_that_is_away_is_named(page: Visitor, stores: Stores) -> None:
    """The panel shows which store does not answer and what to do, without its address or password."""

    def away(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("http://es:9200 refused")

    stores.answer = away
    answer = page.post("/preview/sources/logs/_msearch", content=SEARCH)
    assert answer.status_code == 502
    assert "Logs did not answer" in answer.json()["error"]
    assert "es:9200" not in answer.text


def test_dashboards_are_read_again_each_time(page: Visitor, tmp_path: Path) -> None:
    """Who regenerates the dashboards sees the new ones after a reload."""
    assert [board["uid"] for board in page.get("/preview/boot").json()["dashboards"]] == ["nobet-one"]
    (tmp_path / "dashboards" / "two.json").write_text(json.dumps({"uid": "nobet-two", "title": "Two", "panels": []}))
    assert page.get("/preview/dashboards/nobet-two").json()["title"] == "Two"
    assert page.get("/preview/dashboards/nobet-three").status_code == 404


def test_the_page_may_load_its_own_files_only(page: Visitor) -> None:
    """Neither a dashboard's text nor a log record can make the browser load or run anything from elsewhere."""
    for path in ("/", "/d/nobet-one", "/explore"):
        answer = page.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
    assert PASSWORD not in page.get("/preview/boot").text
