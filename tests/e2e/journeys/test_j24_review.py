"""J-24: the daily and the weekly review. Each item is reachable from one page, and each query of it finds what it is about."""

import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx
import pytest

from app.core.ports import PORTS
from app.stack.choose import is_available
from app.stack.components import COMPONENTS
from tests.support.processes import CHECKOUT
from tests.support.servers import Postgres
from tests.support.stack import RunningStack
from tests.support.users import PASSWORD, expired_token, new_user, sign_in
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-24", "DEP-06", "DEP-07", "ACC-08", "DOC-07")]

PAGE: Final = (CHECKOUT / "docs" / "review.md").read_text(encoding="utf-8")
CHECKLIST: Final = (CHECKOUT / "docs" / "checklist.md").read_text(encoding="utf-8")
LINK: Final = re.compile(r"\[([^\]]+)\]\((http://127\.0\.0\.1:(\d+)([^)\s]*))\)")
NAMES: Final = {number: name for name, number in PORTS.items()}
ARRIVAL_SECONDS: Final = 90

Link = tuple[str, str, str]
"""What it is called, the listener's name, and path with query."""


def links(page: str) -> list[Link]:
    """The links of a page to this machine."""
    return [(title, NAMES[int(number)], rest) for title, _, number, rest in LINK.findall(page)]


ALL: Final = list(dict.fromkeys([*links(PAGE), *links(CHECKLIST)]))


@pytest.fixture(scope="module")
def busy_day(world: RunningStack, app: httpx.Client) -> Callable[[], object]:
    """Everything once that a review looks for: failures, logins, tokens, slow and cancelled requests, a call.

    Gives back one more turn of that call, for what is only there while something goes on.
    """
    user = new_user(app, "j24")
    app.get("/crash", headers={"X-Event-ID": "j24-crash"})
    app.get("/feed", headers={"X-Event-ID": "not an id"})
    app.get(f"/no-such-page-{time.time_ns()}")
    sign_in(app, user.name, "not the right password")
    app.get("/api/profile", headers={"Authorization": f"Bearer {expired_token(world, user.user_id)}"})
    renewal = {"old_password": PASSWORD, "new_password": f"{PASSWORD}-2"}
    assert app.post("/api/auth/password", json=renewal, headers=user.headers).status_code == 204
    token = {"Authorization": f"Bearer {world.secret('METRICS_TOKEN')}"}
    now = httpx.get(f"{world.url('voice')}/admin/knobs", headers=token, timeout=30).raise_for_status().json()
    same = {"failure_share": now["failure_share"]}
    httpx.patch(f"{world.url('voice')}/admin/knobs", json=same, headers=token, timeout=30).raise_for_status()
    _slow_and_cancelled(world, app)
    sid = app.post("/api/calls", json={}, headers=user.headers).raise_for_status().json()["call_sid"]
    return lambda: app.post(f"/api/calls/{sid}/turns", json={"speech": "good evening"}, headers=user.headers)


def _slow_and_cancelled(world: RunningStack, app: httpx.Client) -> None:
    """The posts are locked for two seconds: one reader waits, the other hangs up."""
    waiter = threading.Thread(target=lambda: app.get("/posts/1"))
    with Postgres(world).locking("posts"), httpx.Client(base_url=world.url("app"), timeout=0.7) as hasty:
        waiter.start()
        for _ in range(3):
            with suppress(httpx.TimeoutException):
                hasty.get("/posts/1")
    waiter.join()


def absent(world: RunningStack, name: str) -> bool:
    """Whether this machine, or this version, has no such server; then its page can't be looked at."""
    owners = [component.name for component in COMPONENTS.values() if name in component.ports]
    return not owners or not is_available(world.declared, owners[0])


def finding(world: RunningStack, name: str, rest: str) -> bool:
    """Whether following a link shows something: a page, a query's result, at least one record."""
    if name == "prometheus" and "g0.expr=" in rest:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(rest).query)["g0.expr"][0]
        answer = httpx.get(f"{world.url(name)}/api/v1/query", params={"query": query}, timeout=30)
        values = [float(item["value"][1]) for item in answer.raise_for_status().json()["data"]["result"]]
        return any(value == value for value in values)
    sign = world.sign_in("reader") if name == "elasticsearch" else None
    path = rest.partition("#")[0] or "/"
    answer = httpx.get(f"{world.url(name)}{path}", auth=sign, timeout=30, follow_redirects=True).raise_for_status()
    if "_search" in path:
        return bool(answer.json()["hits"]["total"]["value"])
    return bool(answer.text.strip())


@pytest.mark.parametrize(("title", "name", "rest"), ALL, ids=[title for title, _, _ in ALL])
def test_each_item_is_a_link_that_finds_something(
    world: RunningStack, busy_day: Callable[[], object], title: str, name: str, rest: str
) -> None:
    """Whoever has the watch clicks, and sees it: no query without data, no page that is not there."""
    if name == "grafana":
        uid = urllib.parse.urlsplit(rest).path.rpartition("/")[2]
        assert any(f'"uid": "{uid}"' in path.read_text(encoding="utf-8") for path in (CHECKOUT / "grafana" / "dashboards").glob("*.json"))
    if absent(world, name):
        pytest.skip(f"{name} does not run on this machine")

    def found() -> bool:
        if "rate5m" in rest:
            busy_day()
        return finding(world, name, rest)

    wait_until(f"{title} at {name}{rest}", found, ARRIVAL_SECONDS)


def test_the_page_has_the_items_that_were_asked_for() -> None:
    """Daily: error logs, response times, disk, security logs. Weekly: trends, objectives, dashboards, security incidents."""
    daily, weekly = PAGE.partition("## Every week")[0], PAGE.partition("## Every week")[2]
    for page, headings in (
        (daily, ("Error logs", "Response times", "Disk space", "Security logs")),
        (weekly, ("Trends", "Service level objectives", "Dashboards and rules", "Security incidents")),
    ):
        parts = dict(re.findall(r"^### (.+)\n((?:(?!^#).*\n?)*)", page, re.MULTILINE))
        assert [heading for heading in headings if not LINK.search(parts.get(heading, ""))] == []


@pytest.mark.req("DEP-05")
def test_the_checklist_has_the_seven_points() -> None:
    """Error tracker, metrics, dashboards, alert rules, log aggregation, health endpoint, uptime: each with its proof."""
    points = re.findall(r"^\| ☐ \| (.+?) \| (.+) \|$", CHECKLIST.partition("Then the rest")[0], re.MULTILINE)
    for word, (point, proof) in zip(
        ("error tracker", "metrics", "dashboards", "alert rules", "log aggregation", "health", "uptime"), points, strict=True
    ):
        assert word in point.lower()
        assert proof
