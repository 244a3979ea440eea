"""GET /feed."""

import pytest

from tests.support.backend import Backend

pytestmark = pytest.mark.anyio


async def _post(backend: Backend, title: str) -> int:
    answer = await backend.http.post("/posts", json={"title": title, "body": "text"}, headers=await backend.sign_in("7"))
    return int(answer.json()["id"])


@pytest.mark.req("ERR-05", "LOG-17")
async def test_an_empty_feed_is_a_success_with_an_empty_list_and_a_zero_count(backend: Backend) -> None:
    """200, an empty list, a `feed.empty` record, and the `empty` counter."""
    answer = await backend.http.get("/feed", headers={"X-Event-ID": "abc123"})
    assert (answer.status_code, answer.json()) == (200, {"posts": [], "next_before": None})
    assert backend.record("abc123", "feed.empty")["count"] == 0


@pytest.mark.req("ERR-05")
async def test_posts_come_newest_first(backend: Backend) -> None:
    """The feed is in the reverse order of storing."""
    ids = [await _post(backend, title) for title in ("one", "two", "three")]
    posts = (await backend.http.get("/feed")).json()["posts"]
    assert [(post["id"], post["title"]) for post in posts] == list(zip(reversed(ids), ("three", "two", "one"), strict=True))
    assert posts[0]["created_at"].endswith("Z")


async def test_pages_follow_one_another_without_gap_or_repetition_while_posts_arrive(backend: Backend) -> None:
    """`next_before` leads from page to page to the end; a new post in between moves nothing."""
    ids = [await _post(backend, str(number)) for number in range(5)]
    seen: list[int] = []
    before: int | None = None
    while True:
        page = (await backend.http.get("/feed", params={"limit": 2} | ({"before": before} if before else {}))).json()
        seen += [post["id"] for post in page["posts"]]
        before = page["next_before"]
        if before is None:
            break
        await _post(backend, "late")
    assert seen == list(reversed(ids))


async def test_a_full_last_page_announces_no_further_one(backend: Backend) -> None:
    """Exactly `limit` posts are the end."""
    for number in range(2):
        await _post(backend, str(number))
    assert (await backend.http.get("/feed", params={"limit": 2})).json()["next_before"] is None


@pytest.mark.req("ERR-07", "LOG-30")
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=many", "before=0", "before=x", f"before={2**63}", "limit="])
async def test_a_bad_parameter_is_400_and_says_which(backend: Backend, query: str) -> None:
    """400 with the parameter's name and the id; no ERROR record, no value of the client's in the log."""
    answer = await backend.http.get(f"/feed?{query}", headers={"X-Event-ID": "bad1"})
    body = answer.json()
    assert answer.status_code == 400
    assert body["request_id"] == "bad1"
    assert body["errors"][0]["parameter"] == f"query.{query.partition('=')[0]}"
    assert body["detail"].startswith(body["errors"][0]["parameter"])
    assert backend.record("bad1", "http.request.invalid")["reason"] == body["errors"][0]["parameter"]
    assert {record["level"] for record in backend.records("bad1")} <= {"DEBUG", "INFO"}


@pytest.mark.req("LOG-15", "LOG-26", "COR-16", "DBQ-01", "COR-14")
async def test_every_layer_leaves_a_record_under_the_one_id(backend: Backend) -> None:
    """Middleware, endpoint, domain and database, in the order of the work; the query with its duration."""
    await _post(backend, "one")
    await backend.http.get("/feed", headers={"X-Event-ID": "layers"})
    records = backend.records("layers")
    assert [(record["logger"], record["event"]) for record in records] == [
        ("app.request", "http.request.started"),
        ("app.api.records", "feed.requested"),
        ("app.db.observe", "db.query"),
        ("app.domain.feed", "feed.loaded"),
        ("app.request", "http.request.completed"),
    ]
    assert records[2]["duration_ms"] > 0
    assert len({record["trace_id"] for record in records}) == 1


@pytest.mark.req("LOG-16", "ERR-05", "ERR-08", "DBQ-03", "LOG-23", "PRV-14", "J-01")
async def test_a_failing_query_is_500_with_start_query_error_and_one_terminal_record(backend: Backend) -> None:
    """Start, failed query, failed feed, terminal: all under the id; the answer shows the id and nothing of the driver's."""
    await backend.sql("DROP TABLE posts")
    answer = await backend.http.get("/feed", headers={"X-Event-ID": "abc123"})
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error", "request_id": "abc123"})
    assert answer.headers["X-Request-ID"] == "abc123"
    assert backend.events("abc123") == ["http.request.started", "feed.requested", "db.query.failed", "feed.failed", "http.request.failed"]
    levels = [record["level"] for record in backend.records("abc123")]
    assert levels == ["INFO", "INFO", "ERROR", "ERROR", "ERROR"]
    failed = backend.record("abc123", "feed.failed")
    assert failed["message"] == "The feed query of request abc123 failed"
    assert failed["error_type"] == "OperationalError"
    assert "no such table" in failed["error_message"]


@pytest.mark.req("BIZ-06", "DBQ-05", "HTM-01", "HTM-04")
async def test_reads_are_counted_by_outcome(backend: Backend) -> None:
    """Success, empty and failure each raise their own counter by one, and the request counters by status."""

    async def counters() -> list[float]:
        reads = [await backend.metric("feed_loads_total", outcome=outcome) for outcome in ("success", "empty", "failure")]
        requests = [await backend.metric("http_requests_total", endpoint="/feed", status_code=code) for code in ("200", "500")]
        failed = await backend.metric("db_queries_total", operation="select", outcome="failure")
        return [*reads, *requests, failed]

    before = await counters()
    await backend.http.get("/feed")
    await _post(backend, "one")
    await backend.http.get("/feed")
    await backend.sql("DROP TABLE posts")
    await backend.http.get("/feed")
    assert [after - was for was, after in zip(before, await counters(), strict=True)] == [1, 1, 1, 2, 1, 1]


@pytest.mark.req("HTM-05")
async def test_the_feed_is_served_below_api_too(backend: Backend) -> None:
    """/api/feed is the same as /feed, and its metrics and records name the whole template, with the prefix of its router."""
    post_id = await _post(backend, "one")
    assert (await backend.http.get("/api/feed")).json() == (await backend.http.get("/feed")).json()
    await backend.http.get(f"/api/posts/{post_id}", headers={"X-Event-ID": "prefix"})
    assert backend.record("prefix", "http.request.completed")["endpoint"] == "/api/posts/{post_id}"
