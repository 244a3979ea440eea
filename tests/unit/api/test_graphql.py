"""POST /graphql."""

from pathlib import Path
from typing import Any

import pytest

from app.api import graphql_schema
from app.core import error_tracking
from app.db import posts
from app.db.errors import DatabaseBusyError
from tests.support.backend import Backend, running_backend

pytestmark = pytest.mark.anyio

FEED = "query Home($limit: Int! = 20, $before: ID) { feed(limit: $limit, before: $before) { posts { id authorId title body } nextBefore } }"
CREATE = "mutation Write($title: String!, $body: String!) { createPost(title: $title, body: $body) { id authorId createdAt } }"
WRITTEN = {"title": "A private title", "body": "A very private text"}


async def _ask(backend: Backend, query: str, variables: dict[str, Any] | None = None, ident: str = "g1", **headers: str) -> Any:
    body = {"query": query, "variables": variables}
    return await backend.http.post("/api/graphql", json=body, headers={"X-Event-ID": ident, **headers})


async def _write(backend: Backend, ident: str = "w1") -> Any:
    return await _ask(backend, CREATE, WRITTEN, ident, **await backend.sign_in("7"))


@pytest.mark.req("COR-13", "LOG-15", "COR-16")
async def test_a_query_leaves_the_records_of_all_layers_under_the_id_and_names_its_operation(backend: Backend) -> None:
    """The feed's own records, each with the operation's name once it is known; the answer echoes the id."""
    answer = await _ask(backend, FEED)
    assert (answer.status_code, answer.json()) == (200, {"data": {"feed": {"posts": [], "nextBefore": None}}})
    assert answer.headers["X-Event-ID"] == "g1"
    assert backend.events("g1") == [
        "http.request.started", "feed.requested", "db.query", "feed.empty", "graphql.completed", "http.request.completed",
    ]  # fmt: skip
    assert {record.get("graphql_operation") for record in backend.records("g1")[1:]} == {"Home"}


async def test_what_is_written_can_be_read_page_by_page(backend: Backend) -> None:
    """A mutation with a token stores a post of its user; queries show it like the endpoints do."""
    for _ in range(3):
        written = await _write(backend)
        assert (written.status_code, written.json()["data"]["createPost"]["authorId"]) == (200, "7")
    page = (await _ask(backend, FEED, {"limit": 2})).json()["data"]["feed"]
    rest = (await _ask(backend, FEED, {"limit": 2, "before": page["nextBefore"]})).json()["data"]["feed"]
    assert [post["id"] for post in page["posts"] + rest["posts"]] == ["3", "2", "1"]
    assert rest["nextBefore"] is None
    one = (await _ask(backend, '{ post(id: "2") { title } missing: post(id: "4711") { title } }')).json()
    assert one == {"data": {"post": {"title": "A private title"}, "missing": None}}
    assert "private" not in "".join(segment.read_text() for segment in backend.spool.glob("*.ndjson"))


@pytest.mark.req("AUT-02")
async def test_writing_needs_a_token(backend: Backend) -> None:
    """401 in both forms, and no post; a token that is no good is 401 too."""
    answer = await _ask(backend, CREATE, WRITTEN)
    assert (answer.status_code, answer.json()["request_id"], answer.json()["data"]) == (401, "g1", None)
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED", "request_id": "g1"}
    assert (await _ask(backend, FEED, ident="g2", Authorization="Bearer nonsense")).status_code == 401
    assert backend.record("g1", "token.missing")["operation"] == "graphql createPost"
    assert "post.created" not in backend.events("g1")


@pytest.mark.req("ERR-07", "LOG-30")
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (" ", None),
        ("{", None),
        ("{ nothing }", None),
        ("subscription { feed { nextBefore } }", None),
        (FEED, {"limit": 0}),
        (FEED, {"limit": 101}),
        (FEED, {"limit": "somebody@example.org"}),
        (FEED, {"before": "x"}),
        (FEED, {"before": "9" * 30}),
        ("{ feed { posts { posts { id } } } }", None),
        ("{ " + " ".join(f"a{number}: feed {{ nextBefore }}" for number in range(11)) + " }", None),
        ("{ " + "__typename " * 600 + "}", None),
        ("{ __schema { types { fields { type { ofType { ofType { ofType { ofType { name } } } } } } } } nothing }", None),
    ],
)
async def test_what_is_no_good_is_400_and_never_executed(backend: Backend, query: str, variables: dict[str, Any] | None) -> None:
    """Broken, unknown, too deep, too long, too many aliases, bad arguments: 400 with the id, INFO at most, no value in the log."""
    answer = await _ask(backend, query, variables)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["request_id"], answer.json()["errors"][0]["extensions"]["code"]) == ("g1", "BAD_REQUEST")
    assert {record["level"] for record in backend.records("g1")} <= {"DEBUG", "INFO"}
    assert "db.query" not in backend.events("g1")
    assert "graphql.refused" in backend.events("g1")
    assert "example.org" not in "".join(segment.read_text() for segment in backend.spool.glob("*.ndjson"))


async def test_a_query_that_is_too_deep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One level more than allowed is 400; the schema has too few levels to show it with the real limit."""
    monkeypatch.setattr(graphql_schema, "DEEPEST", 1)
    async with running_backend(tmp_path) as backend:
        assert (await _ask(backend, "{ feed { nextBefore } }")).status_code == 200
        refused = await _ask(backend, "{ feed { posts { id } } }", ident="deep")
        assert (refused.status_code, backend.record("deep", "graphql.refused")["reason"]) == (400, "document")


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize("body", [{}, {"query": ""}, {"query": "x" * 10_001}, {"query": 5}, {"query": "{a}", "variables": []}, []])
async def test_a_body_that_is_no_request_is_400(backend: Backend, body: object) -> None:
    """In the form of all our failures."""
    answer = await backend.http.post("/graphql", json=body)
    assert (answer.status_code, answer.json()["request_id"]) == (400, answer.headers["X-Request-ID"])


@pytest.mark.req("SEB-19", "DBQ-03", "ERR-08", "LOG-23")
async def test_a_failing_resolver_is_500_without_internals_reported_once_and_counted(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One exception for the error tracker, one count, `graphql.failed`, and nothing of the driver's in the answer."""
    monkeypatch.setattr(error_tracking, "capture_message", lambda *_, **__: pytest.fail("the status is no event of its own"))
    monkeypatch.setattr(error_tracking, "is_reported_status", lambda status: status >= 500)
    before = await backend.metric("graphql_errors_total", reason="internal")
    await backend.sql("DROP TABLE posts")
    answer = await _ask(backend, FEED)
    assert answer.status_code == 500
    assert answer.json() == {
        "detail": "Internal Server Error",
        "request_id": "g1",
        "data": None,
        "errors": [{"message": "Internal Server Error", "path": ["feed"], "extensions": {"code": "INTERNAL", "request_id": "g1"}}],
    }
    assert [event for event in backend.events("g1") if event.endswith(".failed")] == ["db.query.failed", "feed.failed", "graphql.failed"]
    assert await backend.metric("graphql_errors_total", reason="internal") - before == 1


async def test_a_part_that_failed_leaves_the_rest(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 with the data that there is, and the failure beside it."""
    await _write(backend)

    async def broken(*_: object) -> None:
        raise RuntimeError("internal detail")

    monkeypatch.setattr(posts, "find", broken)
    answer = await _ask(backend, '{ feed { posts { id } } post(id: "1") { id } }')
    assert (answer.status_code, answer.json()["data"]) == (200, {"feed": {"posts": [{"id": "1"}]}, "post": None})
    assert [error["path"] for error in answer.json()["errors"]] == [["post"]]
    assert "internal detail" not in answer.text


@pytest.mark.req("ERR-09")
async def test_overload_is_503_with_a_hint_when_to_come_back(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere else."""

    async def busy(*_: object) -> None:
        raise DatabaseBusyError("No database connection got free in time")

    monkeypatch.setattr(posts, "newest", busy)
    answer = await _ask(backend, FEED)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


async def test_the_page_to_try_it_out_is_for_development_only(tmp_path: Path) -> None:
    """200 there, 405 elsewhere; and elsewhere the schema is not told either."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    async with running_backend(tmp_path / "one", environment="development") as backend:
        assert "text/html" in (await backend.http.get("/graphql")).headers["content-type"]
    production = {"environment": "production", "metrics_token": "0123456789abcdef0123456789", "jwt_secret": "0123456789abcdef" * 3}
    async with running_backend(tmp_path / "two", **production) as backend:
        assert (await backend.http.get("/graphql")).status_code == 405
        assert (await _ask(backend, "{ __schema { queryType { name } } }")).status_code == 400
        assert (await _ask(backend, FEED)).status_code == 200
