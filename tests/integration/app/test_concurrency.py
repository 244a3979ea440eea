"""Many requests at once: nothing mixes, nothing is miscounted."""

import asyncio
import secrets
from collections.abc import Callable, Sequence

import httpx
import pytest

from tests.support.backend import sample
from tests.support.processes import Service
from tests.support.servers import Postgres
from tests.support.users import SIGNING_KEY, issued_headers
from tests.support.waiting import wait_until

StartService = Callable[..., Service]
Asked = tuple[str, str, str, dict[str, str] | None]
"""Id, method, path, body."""

PATIENCE = {
    "DATABASE_POOL_TIMEOUT_SECONDS": "60",
    "DATABASE_CONNECT_TIMEOUT_SECONDS": "60",
    "DATABASE_TIMEOUT_SECONDS": "60",
    "DATABASE_SLOW_QUERY_MS": "60000",
    "VOICE_TIMEOUT_SECONDS": "60",
    "REQUEST_TIMEOUT_SECONDS": "0",
}
"""Slow machines are no subject here."""

READS = ["http.request.started", "feed.requested", "db.query", "feed.loaded", "http.request.completed"]
WRITES = ["http.request.started", "token.accepted", "db.query", "post.created", "http.request.completed"]
ASKS = ["http.request.started", "suggestion.requested", "suggestion.received", "http.request.completed"]
CRASHES = ["http.request.started", "http.request.failed"]


AT_ONCE = 200


async def _all(url: str, requests: Sequence[Asked], at_once: int = AT_ONCE) -> list[httpx.Response]:
    """All answers, in the order of the requests."""
    places = asyncio.Semaphore(at_once)

    async def send(client: httpx.AsyncClient, asked: Asked) -> httpx.Response:
        ident, method, path, body = asked
        async with places:
            signed_in = issued_headers(body["as"]) if body and "as" in body else {}
            return await client.request(method, path, json=body, headers={"X-Event-ID": ident, **signed_in})

    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False) as client:
        return list(await asyncio.gather(*(send(client, asked) for asked in requests)))


@pytest.mark.req("COR-06", "COR-04", "LOG-23", "COR-16", "COR-05")
def test_200_concurrent_requests_have_complete_and_unmixed_records(postgres: Postgres, start: StartService) -> None:
    """Reads, writes, calls to the other service, crashes: each id has all of its records, with its own user, path and trace."""
    voice = start("voice")
    app = start("app", workers=2, DATABASE_URL=postgres.url, VOICE_URL=voice.url, JWT_SECRET=SIGNING_KEY, **PATIENCE)
    postgres.ask("INSERT INTO posts (author_id, title, body, created_at) VALUES ('7', 'a', 'b', now())")
    expected: dict[str, tuple[str, str | None, list[str]]] = {}
    requests: list[Asked] = []
    for number in range(200):
        ident, user = f"id-{number}-{secrets.token_hex(4)}", f"user-{number}"
        kind = number % 4
        if kind == 0:
            requests.append((ident, "GET", "/feed", None))
            expected[ident] = ("/feed", None, READS)
        elif kind == 1:
            requests.append((ident, "POST", "/posts", {"title": "a", "body": "b", "as": user}))
            expected[ident] = ("/posts", user, WRITES)
        elif kind == 2:
            requests.append((ident, "POST", "/suggest", {"user_id": user, "topic": "chess"}))
            expected[ident] = ("/suggest", user, ASKS)
        else:
            requests.append((ident, "GET", "/crash", None))
            expected[ident] = ("/crash", None, CRASHES)
    answers = asyncio.run(_all(app.url, requests))
    assert [answer.headers["X-Request-ID"] for answer in answers] == list(expected)
    for ident, (path, owner, events) in expected.items():
        records = app.records(ident)
        assert [record["event"] for record in records] == events, ident
        assert {record["path"] for record in records} == {path}
        assert {record["user_id"] for record in records if "user_id" in record} == ({owner} if owner else set())
        assert len({record["trace_id"] for record in records}) == 1
        if events is ASKS:
            others = voice.records(ident)
            assert [record["event"] for record in others] == ["http.request.started", "voice.suggested", "http.request.completed"]
            assert {record["trace_id"] for record in others} == {records[0]["trace_id"]}


@pytest.mark.req("HTM-18", "HTM-01", "HTM-05")
def test_four_workers_count_400_requests_as_400_and_1000_random_paths_as_one_series(postgres: Postgres, start: StartService) -> None:
    """Whichever worker is asked for metrics, the numbers are those of all; strangers' paths make one series."""
    app = start("app", workers=4, DATABASE_URL=postgres.url, **PATIENCE)
    reads = asyncio.run(_all(app.url, [(f"n{number}", "GET", "/feed", None) for number in range(400)], at_once=40))
    assert {answer.status_code for answer in reads} == {200}
    strange = [(f"s{number}", "GET", f"/{secrets.token_hex(8)}/{number}", None) for number in range(1000)]
    assert {answer.status_code for answer in asyncio.run(_all(app.url, strange, at_once=20))} == {404}

    def counts() -> tuple[float, ...]:
        text = app.get("/metrics").text
        unmatched = [line for line in text.splitlines() if line.startswith("http_requests_total{") and 'status_code="404"' in line]
        return (
            sample(text, "http_requests_total", endpoint="/feed", method="GET", status_code="200"),
            sample(text, "feed_loads_total", outcome="empty"),
            sample(text, "http_requests_total", endpoint="unmatched", status_code="404"),
            len(unmatched),
        )

    # A request is counted when its answer is out, so the last one may come a moment later.
    wait_until("all requests are counted", lambda: counts() == (400, 400, 1000, 1))
    assert [counts() for _ in range(8)] == [(400, 400, 1000, 1)] * 8
