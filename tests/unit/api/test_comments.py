"""Comments, below their post and by themselves."""

from typing import Any

import pytest

from app.domain import comments as commenting
from tests.support.backend import Backend

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("signed_in")]

TEXT = "A very private remark"


async def _post(backend: Backend) -> int:
    return int((await backend.http.post("/posts", json={"title": "a", "body": "b"})).json()["id"])


async def _comment(backend: Backend, post_id: int, text: str = TEXT, event_id: str = "say") -> Any:
    return await backend.http.post(f"/posts/{post_id}/comments", json={"body": text}, headers={"X-Event-ID": event_id})


@pytest.mark.req("LOG-09", "PRV-07")
async def test_a_comment_is_stored_for_the_user_of_the_token_and_its_text_is_in_no_record(backend: Backend) -> None:
    """201 with id, post and author; `comment.created` has the ids; no layer logs the text."""
    post_id = await _post(backend)
    answer = await _comment(backend, post_id)
    assert answer.status_code == 201
    assert answer.json() | {"post_id": post_id, "author_id": "7", "body": TEXT} == answer.json()
    created = backend.record("say", "comment.created")
    assert (created["comment_id"], created["post_id"], created["user_id"]) == (str(answer.json()["id"]), str(post_id), "7")
    assert "private" not in "".join(segment.read_text() for segment in backend.spool.glob("*.ndjson"))


async def test_both_ways_to_comment_and_to_read_lead_to_the_same(backend: Backend) -> None:
    """/comments with the post's id, and /posts/{id}/comments; below /api too."""
    post_id = await _post(backend)
    await _comment(backend, post_id, "one")
    assert (await backend.http.post("/api/comments", json={"post_id": post_id, "body": "two"})).status_code == 201
    below = (await backend.http.get(f"/posts/{post_id}/comments")).json()
    assert below == (await backend.http.get("/api/comments", params={"post_id": post_id})).json()
    assert [comment["body"] for comment in below["comments"]] == ["two", "one"]


async def test_pages_of_comments_follow_one_another(backend: Backend) -> None:
    """`next_before` leads to the end, and comments on other posts are not among them."""
    post_id, other = await _post(backend), await _post(backend)
    for number in range(5):
        await _comment(backend, post_id, str(number))
        await _comment(backend, other, "other")
    seen, before = [], None
    while True:
        params = {"limit": 2} | ({"before": before} if before else {})
        page = (await backend.http.get(f"/posts/{post_id}/comments", params=params)).json()
        seen += [comment["body"] for comment in page["comments"]]
        before = page["next_before"]
        if before is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.req("LOG-30")
async def test_a_post_without_comments_has_an_empty_list_and_a_missing_post_is_404(backend: Backend) -> None:
    """The two can be told apart, for reading and for writing; nothing above INFO."""
    post_id = await _post(backend)
    assert (await backend.http.get(f"/posts/{post_id}/comments")).json() == {"comments": [], "next_before": None}
    missing = await backend.http.get("/posts/4711/comments", headers={"X-Event-ID": "miss"})
    assert (missing.status_code, missing.json()["detail"]) == (404, "There is no post 4711.")
    assert (await _comment(backend, 4711, event_id="miss")).status_code == 404
    assert {record["level"] for record in backend.records("miss")} <= {"DEBUG", "INFO"}


async def test_comments_go_with_their_post(backend: Backend) -> None:
    """After a deletion a new post never inherits the comments of an old one, even if it gets its id."""
    post_id = await _post(backend)
    await _comment(backend, post_id)
    await backend.http.delete(f"/posts/{post_id}")
    assert (await backend.http.get(f"/posts/{post_id}/comments")).status_code == 404
    again = await _post(backend)
    assert (await backend.http.get(f"/posts/{again}/comments")).json()["comments"] == []


@pytest.mark.req("LOG-23", "J-27", "BIZ-06")
async def test_a_comment_that_can_not_be_stored_is_logged_counted_and_500(backend: Backend) -> None:
    """Failed query, `comment.failed` as ERROR naming the request, the terminal record, and one failure counted."""
    post_id = await _post(backend)
    failures = await backend.metric("comments_submitted_total", outcome="failure")
    await backend.sql("DROP TABLE comments")
    assert (await _comment(backend, post_id, event_id="lost")).status_code == 500
    failed = backend.record("lost", "comment.failed")
    assert (failed["level"], failed["message"]) == ("ERROR", "The comment of request lost could not be stored")
    assert backend.events("lost")[-3:] == ["db.query.failed", "comment.failed", "http.request.failed"]
    assert await backend.metric("comments_submitted_total", outcome="failure") - failures == 1


@pytest.mark.req("LAT-08", "J-27")
async def test_a_slow_comment_is_marked_and_its_endpoint_has_a_histogram(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its target the record is a WARNING with `slow`; the latency is measured by route template."""
    post_id = await _post(backend)
    monkeypatch.setattr(commenting, "SLOW_SECONDS", 0)
    assert (await _comment(backend, post_id, event_id="late")).status_code == 201
    slow = backend.record("late", "comment.slow")
    assert (slow["level"], slow["slow"], slow["comment_id"]) == ("WARNING", True, "1")
    for name in ("http_request_duration_seconds_count", "http_time_to_first_byte_seconds_count"):
        assert await backend.metric(name, endpoint="/posts/{post_id}/comments") >= 1


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize("body", [{}, {"body": ""}, {"body": " "}, {"body": "x" * 2001}, {"body": "nul\x00"}, {"body": 5}])
async def test_a_bad_comment_is_400(backend: Backend, body: dict[str, object]) -> None:
    """Refused by name, before the database is asked."""
    answer = await backend.http.post("/posts/1/comments", json=body, headers={"X-Event-ID": "bad"})
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == ["body.body"]
    assert "db.query" not in backend.events("bad")


async def test_the_queries_of_a_page_do_not_grow_with_it(backend: Backend) -> None:
    """One query for a page with comments; two where the post has none, to tell it from a missing one."""
    post_id = await _post(backend)
    await backend.http.get(f"/posts/{post_id}/comments", headers={"X-Event-ID": "none"})
    for number in range(3):
        await _comment(backend, post_id, str(number))
    await backend.http.get(f"/posts/{post_id}/comments", headers={"X-Event-ID": "some"})
    assert [backend.events(ident).count("db.query") for ident in ("none", "some")] == [2, 1]
