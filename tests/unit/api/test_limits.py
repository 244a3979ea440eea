"""The rate limit of the endpoints, and the headers for web pages of other origins."""

from pathlib import Path

import pytest

from tests.support.backend import Backend, running_backend

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.example.org"


async def _statuses(backend: Backend, count: int, **headers: str) -> list[int]:
    return [(await backend.http.get("/feed", headers=headers)).status_code for _ in range(count)]


async def test_who_asks_too_often_is_429_with_a_hint_and_one_warning(tmp_path: Path) -> None:
    """The limit counts by user, else by address; /health and /metrics are free; one WARNING, and a terminal record each."""
    async with running_backend(tmp_path, rate_limit_per_minute=3) as backend:
        backend.resources.limiter._clock = lambda: 6000.0  # type: ignore[misc]
        assert await _statuses(backend, 5) == [200, 200, 200, 429, 429]
        refused = await backend.http.get("/feed", headers={"X-Event-ID": "much"})
        assert (refused.status_code, refused.json()["request_id"]) == (429, "much")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert backend.record("much", "http.request.completed")["level"] == "INFO"
        assert await _statuses(backend, 1, **await backend.sign_in("7")) == [200]
        assert await _statuses(backend, 1, Authorization="Bearer forged") == [429], "a forged token is no new caller"
        assert (await backend.http.get("/health")).status_code == 200
        assert [record["event"] for record in backend.records() if record["level"] == "WARNING"] == ["rate_limit.exceeded"]


async def test_the_limit_can_be_switched_off(tmp_path: Path) -> None:
    """0 is no limit."""
    async with running_backend(tmp_path, rate_limit_per_minute=0) as backend:
        assert set(await _statuses(backend, 20)) == {200}


async def test_pages_of_chosen_origins_may_call_and_read_the_id_even_of_a_500(tmp_path: Path) -> None:
    """Preflight allows the headers of id, trace and token; answers expose the id, failures too; other origins get nothing."""
    async with running_backend(tmp_path, cors_origins=ORIGIN) as backend:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        wanted = "authorization,x-event-id,traceparent,baggage,sentry-trace"
        preflight = await backend.http.options("/posts", headers={**asked, "Access-Control-Request-Headers": wanted})
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
        assert set(wanted.split(",")) <= set(preflight.headers["access-control-allow-headers"].lower().split(", "))
        await backend.sql("DROP TABLE posts")
        failed = await backend.http.get("/feed", headers={"Origin": ORIGIN, "X-Event-ID": "page1"})
        assert (failed.status_code, failed.headers["access-control-allow-origin"]) == (500, ORIGIN)
        assert "X-Request-ID" in failed.headers["access-control-expose-headers"]
        stranger = await backend.http.get("/health", headers={"Origin": "https://evil.example.org"})
        assert "access-control-allow-origin" not in stranger.headers


async def test_without_origins_no_page_may_call(backend: Backend) -> None:
    """The default."""
    answer = await backend.http.get("/feed", headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.req("LAT-07")
async def test_the_time_to_the_first_byte_is_measured_by_endpoint(backend: Backend) -> None:
    """A histogram with the edges of the ideal (0.1 to 0.3 s), raised by each answer."""
    before = await backend.metric("http_time_to_first_byte_seconds_count", endpoint="/feed")
    await backend.http.get("/feed")
    assert await backend.metric("http_time_to_first_byte_seconds_count", endpoint="/feed") - before == 1
    edges = [await backend.metric("http_time_to_first_byte_seconds_bucket", endpoint="/feed", le=edge) for edge in ("0.1", "0.3")]
    assert edges[0] <= edges[1]
    assert edges[1] >= 1
