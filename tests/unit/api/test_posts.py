"""Storing, reading and deleting posts."""

from typing import Any

import pytest

from tests.support.backend import Backend

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("signed_in")]

POST = {"title": "A private title", "body": "A very private text"}


async def _store(backend: Backend, **changes: Any) -> int:
    answer = await backend.http.post("/posts", json=POST | changes, headers={"X-Event-ID": "store"})
    assert answer.status_code == 201
    return int(answer.json()["id"])


async def test_a_stored_post_can_be_read(backend: Backend) -> None:
    """What was stored comes back, with an id and a time in UTC."""
    post_id = await _store(backend)
    read = await backend.http.get(f"/posts/{post_id}", headers={"X-Event-ID": "read"})
    assert read.status_code == 200
    assert read.json() | POST | {"author_id": "7"} == read.json()
    assert read.json()["created_at"].endswith("Z")
    assert backend.record("read", "post.viewed")["post_id"] == str(post_id)


@pytest.mark.req("LOG-09", "LOG-21", "COR-17")
async def test_storing_is_logged_with_post_and_user(backend: Backend) -> None:
    """`post.created` names the post and the user, and the terminal record the user too."""
    post_id = await _store(backend)
    created = backend.record("store", "post.created")
    assert (created["post_id"], created["user_id"], created["level"]) == (str(post_id), "7", "INFO")
    assert backend.record("store", "http.request.completed")["user_id"] == "7"


@pytest.mark.req("PRV-02", "PRV-07", "DBQ-02", "DBQ-07")
async def test_what_people_write_is_in_no_record(backend: Backend) -> None:
    """Neither title nor text is logged by any layer, on success or on failure; the statement shows placeholders."""
    post_id = await _store(backend)
    await backend.http.get(f"/posts/{post_id}")
    await backend.sql("DROP TABLE posts")
    failed = await backend.http.post("/posts", json=POST, headers={"X-Event-ID": "failed"})
    assert failed.status_code == 500
    whole = "".join(segment.read_text() for segment in backend.spool.glob("*.ndjson"))
    assert "private" not in whole
    assert "INSERT INTO posts" in backend.record("store", "db.query")["statement"]
    assert "INSERT INTO posts" in backend.record("failed", "db.query.failed")["statement"]


@pytest.mark.req("ERR-10", "LOG-15")
async def test_a_deletion_answers_204_and_is_logged_as_information(backend: Backend) -> None:
    """204 without a body; an INFO record of the deletion and an INFO terminal record with 204."""
    post_id = await _store(backend)
    answer = await backend.http.delete(f"/posts/{post_id}", headers={"X-Event-ID": "gone"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert backend.record("gone", "post.deleted")["post_id"] == str(post_id)
    terminal = backend.record("gone", "http.request.completed")
    assert (terminal["level"], terminal["status_code"]) == ("INFO", 204)
    assert (await backend.http.get(f"/posts/{post_id}")).status_code == 404


@pytest.mark.req("LOG-30", "J-08")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_missing_post_is_404_and_no_error(backend: Backend, method: str) -> None:
    """404 with a sentence and the id; nothing above INFO."""
    answer = await backend.http.request(method, "/posts/4711", headers={"X-Event-ID": "miss"})
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no post 4711.", "request_id": "miss"})
    assert backend.record("miss", "post.missing")["post_id"] == "4711"
    assert {record["level"] for record in backend.records("miss")} <= {"DEBUG", "INFO"}


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "x" * 201),
        ("title", "nul\x00byte"),
        ("title", 5),
        ("body", "x" * 10_001),
        ("body", None),
    ],
)
async def test_a_bad_field_is_400_and_named(backend: Backend, field: str, value: object) -> None:
    """400 naming the field."""
    answer = await backend.http.post("/posts", json=POST | {field: value}, headers={"X-Event-ID": "bad"})
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [f"body.{field}"]


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"title": "\\ud800"}', b"\xff\xfe"])
async def test_a_body_that_is_no_json_object_is_400(backend: Backend, body: bytes) -> None:
    """Whatever is sent as a body, the answer is a 400 with an id, never a 500."""
    answer = await backend.http.post("/posts", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/posts/0", "/posts/-1", "/posts/x", f"/posts/{2**63}", "/posts/1.5"])
async def test_an_id_that_can_be_none_is_400(backend: Backend, path: str) -> None:
    """Ids are positive 64-bit integers."""
    assert (await backend.http.get(path)).status_code == 400


async def test_any_language_survives(backend: Backend) -> None:
    """Letters, emoji and quotes come back as they went."""
    title = "Nöbet — gece yarısı 🌙 'quote' \"double\" <b>"
    post_id = await _store(backend, title=title)
    assert (await backend.http.get(f"/posts/{post_id}")).json()["title"] == title


@pytest.mark.req("AUT-02", "LOG-30")
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/posts"), ("DELETE", "/posts/1"), ("POST", "/posts/1/comments"), ("POST", "/comments"), ("POST", "/images")],
)
async def test_writing_needs_a_token(backend: Backend, method: str, path: str) -> None:
    """401 with the id, before anything else is looked at; nothing above INFO."""
    backend.http.headers.pop("authorization")
    answer = await backend.http.request(method, path, json={}, headers={"X-Event-ID": "nobody"})
    assert (answer.status_code, answer.json()["code"], answer.json()["request_id"]) == (401, "token_missing", "nobody")
    assert {record["level"] for record in backend.records("nobody")} <= {"DEBUG", "INFO"}


async def test_the_author_is_the_user_of_the_token_whatever_the_body_says(backend: Backend) -> None:
    """An `author_id` in the body changes nothing."""
    post_id = await _store(backend, author_id="8")
    assert (await backend.http.get(f"/posts/{post_id}")).json()["author_id"] == "7"
    assert backend.record("store", "http.request.completed")["user_id"] == "7"


async def test_only_the_author_may_delete(backend: Backend) -> None:
    """Somebody else gets 403 and an INFO record, and the post stays; the author can delete it."""
    post_id = await _store(backend)
    stranger = await backend.sign_in("8")
    answer = await backend.http.delete(f"/posts/{post_id}", headers={**stranger, "X-Event-ID": "stranger"})
    assert (answer.status_code, answer.json()["detail"]) == (403, "Only its author may delete a post.")
    refused = backend.record("stranger", "post.refused")
    assert (refused["level"], refused["user_id"], refused["reason"]) == ("INFO", "8", "not_the_author")
    assert (await backend.http.get(f"/posts/{post_id}")).status_code == 200
    assert (await backend.http.delete(f"/posts/{post_id}")).status_code == 204
