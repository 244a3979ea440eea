"""What one request leaves behind, step by step."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.api.routes import feed as feed_route
from app.db import posts
from tests.support.backend import Backend

pytestmark = pytest.mark.anyio


@pytest.mark.req("COR-16", "J-14", "LOG-15", "LOG-26")
async def test_the_id_of_a_failed_request_gives_authentication_queries_and_error_in_order(backend: Backend) -> None:
    """A comment by a signed-in user on a broken table: every step under the id, in its order, from the token on with the user."""
    headers = {**await backend.sign_in("7"), "X-Event-ID": "chain"}
    post_id = (await backend.http.post("/posts", json={"title": "a", "body": "b"}, headers=headers)).json()["id"]
    await backend.sql("DROP TABLE comments")
    headers["X-Event-ID"] = "chain2"
    await backend.http.post(f"/posts/{post_id}/comments", json={"body": "x"}, headers=headers)
    assert backend.events("chain2") == [
        "http.request.started", "token.accepted", "db.query", "db.query.failed", "comment.failed", "http.request.failed",
    ]  # fmt: skip
    assert {record["user_id"] for record in backend.records("chain2")[1:]} == {"7"}


@pytest.mark.req("LOG-23", "J-15")
async def test_a_request_that_hangs_after_validation_ends_with_the_place_where_it_hung(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """504, and one terminal record that names the time limit and our own line that waited."""
    begun = asyncio.Event()

    async def hang(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(posts, "add", hang)
    headers = {**await backend.sign_in("7"), "X-Event-ID": "hangs"}
    request = asyncio.create_task(backend.http.post("/posts", json={"title": "a", "body": "b"}, headers=headers))
    await begun.wait()
    watch: Any = next(made.kwargs["watch"] for made in backend.app.user_middleware if "watch" in made.kwargs)
    (running,) = watch._running.values()
    running.started -= 1000
    watch.sweep()
    assert (await request).status_code == 504
    terminal = backend.record("hangs", "http.request.timed_out")
    assert (terminal["outcome"], terminal["reason"]) == ("timed_out", "time_limit")
    assert terminal["error_location"].startswith("domain/posts.py:")
    assert terminal["error_location"].endswith(" in create_post")


@pytest.mark.req("LOG-26")
def test_endpoints_log_through_helpers_only() -> None:
    """No endpoint writes records itself: what is logged is decided in the helpers and the services."""
    routes = sorted(Path(feed_route.__file__).parent.glob("*.py"))
    assert len(routes) > 5
    assert [path.name for path in routes if "get_logger" in path.read_text(encoding="utf-8")] == []
