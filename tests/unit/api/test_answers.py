"""What all answers have in common, and what the documentation says about them."""

from typing import Any

import httpx
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.db import posts
from app.db.errors import DatabaseBusyError
from tests.support.backend import Backend

pytestmark = pytest.mark.anyio

POST = {"title": "a", "body": "b"}
SUGGEST = {"user_id": "7", "topic": "a"}


def _failing(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(500, json={})


@pytest.mark.req("COR-03", "COR-23", "COR-07")
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/feed", None, 200),
        ("POST", "/posts", POST, 201),
        ("DELETE", "/posts/1", None, 204),
        ("GET", "/feed?limit=x", None, 400),
        ("GET", "/nowhere", None, 404),
        ("PUT", "/feed", None, 405),
        ("GET", "/crash", None, 500),
        ("POST", "/suggest", SUGGEST, 502),
        ("GET", "/docs", None, 200),
    ],
)
async def test_every_answer_carries_the_id(backend: Backend, method: str, path: str, body: Any, status: int) -> None:
    """The id is in the header, whatever the status, and in the body of each error."""
    backend.voice_answers(_failing)
    backend.http.headers.update(await backend.sign_in("7"))
    await backend.http.post("/posts", json=POST)
    answer = await backend.http.request(method, path, json=body, headers={"X-Event-ID": "zyx456"})
    assert answer.status_code == status
    assert (answer.headers["X-Request-ID"], answer.headers["X-Event-ID"]) == ("zyx456", "zyx456")
    if status >= 400:
        assert answer.json()["request_id"] == "zyx456"
        assert isinstance(answer.json()["detail"], str)


@pytest.mark.req("ERR-09")
async def test_an_exhausted_pool_is_503_with_a_hint_when_to_come_back(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overload is no internal error: 503 and Retry-After, with `feed.failed` in the log."""

    async def busy(*_: object) -> None:
        raise DatabaseBusyError("No database connection got free in time") from PoolTimeout()

    monkeypatch.setattr(posts, "newest", busy)
    answer = await backend.http.get("/feed", headers={"X-Event-ID": "busy"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "feed.failed" in backend.events("busy")


@pytest.mark.req("DBQ-08")
async def test_the_documentation_describes_every_operation(backend: Backend) -> None:
    """Each operation has a text and documents its failures in our form; the 422 that is never sent isn't announced."""
    schema = (await backend.http.get("/openapi.json")).json()
    operations = {
        f"{method} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if not path.startswith(("/health", "/api/health", "/metrics"))
    }
    assert {"get /feed", "post /posts", "post /graphql", "get /crash"} <= set(operations)
    for name, operation in operations.items():
        assert operation["description"], name
        assert "422" not in operation["responses"], name
        answers = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert answers == {"$ref": "#/components/schemas/ErrorAnswer"}, name
    assert "HTTPValidationError" not in schema["components"]["schemas"]


async def test_the_documented_examples_are_accepted(backend: Backend) -> None:
    """The examples of the request bodies can be sent as they are."""
    schemas = (await backend.http.get("/openapi.json")).json()["components"]["schemas"]
    example = {name: field["examples"][0] for name, field in schemas["PostCreate"]["properties"].items()}
    assert (await backend.http.post("/posts", json=example, headers=await backend.sign_in())).status_code == 201
