"""POST /events: what clients report."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core import metrics
from tests.support.backend import Backend, running_backend
from tests.support.chat import eventually
from tests.support.tracked import events_in

pytestmark = pytest.mark.anyio

GOOD = {"event_type": "message_sent", "properties": {"chat_id": "7", "message_length": 42}}
QUICK = {"analytics_key": "k" * 24, "analytics_flush_seconds": 0.05, "analytics_shutdown_seconds": 60}


async def _report(backend: Backend, *events: dict[str, Any], **more: Any) -> httpx.Response:
    return await backend.http.post("/api/events", json={"events": list(events), **more}, headers={"X-Event-ID": "ev1"})


@pytest.mark.req("ANA-02", "ANA-03", "ANA-04", "ANA-09")
async def test_reported_events_reach_both_stores_in_one_schema(tmp_path: Path) -> None:
    """202 with counts; after the end of the process both stores have the event, with equal content."""
    properties = {"chat_id": "7", "message_length": 42, "platform": "android"}
    async with running_backend(tmp_path, **QUICK) as backend:
        answer = await _report(backend, GOOD | {"properties": properties}, source="mobile")
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "refused": 0, "clamped": 0, "refusals": []})
    (found,) = events_in(tmp_path / "spool")
    assert {key: found[key] for key in ("event_type", "source", "request_id", "properties")} == {
        "event_type": "message_sent",
        "source": "mobile",
        "request_id": "ev1",
        "properties": properties,
    }
    async with running_backend(tmp_path, **QUICK) as backend, backend.resources.database.session() as session:
        row = (await session.execute(text("SELECT id, event_type, source, request_id, user_ref FROM tracked_events"))).one()
    assert (uuid.UUID(row.id), *row[1:]) == (uuid.UUID(found["id"]), "message_sent", "mobile", "ev1", None)


@pytest.mark.req("PRV-08", "ANA-07")
async def test_a_token_gives_a_pseudonym(tmp_path: Path) -> None:
    """With a token the event has the user's pseudonym, never the id; a bad token is 401."""
    async with running_backend(tmp_path, **QUICK) as backend:
        headers = await backend.sign_in("ayse")
        answer = await backend.http.post("/events", json={"events": [GOOD]}, headers=headers)
        assert answer.status_code == 202
        refused = await backend.http.post("/events", json={"events": [GOOD]}, headers={"Authorization": "Bearer forged"})
        assert refused.status_code == 401
    (found,) = [event for event in events_in(tmp_path / "spool") if event["event_type"] == "message_sent"]
    assert len(found["user_ref"]) == 32
    assert "ayse" not in str(found)


@pytest.mark.parametrize(
    ("event", "reason", "where"),
    [
        ({"event_type": "invented"}, "unknown_type", "body.events.0.event_type"),
        (GOOD | {"properties": {"email": "ada@example.org"}}, "bad_properties", "body.events.0.properties"),
        (GOOD | {"properties": {"chat_id": "ada@example.org"}}, "bad_properties", "body.events.0.properties"),
        (GOOD | {"properties": {"message_length": "many"}}, "bad_properties", "body.events.0.properties"),
    ],
)
@pytest.mark.req("ANA-12", "PRV-08")
async def test_what_can_not_be_taken_is_400_and_counted(backend: Backend, event: dict[str, Any], reason: str, where: str) -> None:
    """Unknown types and properties are refused with the place, counted by reason, and never echoed."""
    before = await backend.metric("tracked_events_refused_total", reason=reason)
    answer = await _report(backend, event)
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["parameter"]) == (400, "events_refused", where)
    assert "ada" not in answer.text
    assert await backend.metric("tracked_events_refused_total", reason=reason) == before + 1


async def test_one_bad_event_does_not_cost_the_others(backend: Backend) -> None:
    """202 with both counts when at least one is taken."""
    answer = await _report(backend, GOOD, {"event_type": "invented"}, GOOD)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (202, 2, 1)


@pytest.mark.parametrize(
    "body",
    [{}, {"events": []}, {"events": [{}]}, {"events": [GOOD | {"user_id": "7"}]}, {"events": [GOOD | {"time": "2026-11-22T01:00:00"}]}],
)
async def test_a_malformed_body_is_400_and_counted(backend: Backend, body: Any) -> None:
    """No events, unknown keys, a user of the client's choice, a time without a zone."""
    before = await backend.metric("tracked_events_refused_total", reason="malformed")
    assert (await backend.http.post("/events", json=body)).status_code == 400
    assert await backend.metric("tracked_events_refused_total", reason="malformed") == before + 1


@pytest.mark.req("ANA-11")
@pytest.mark.parametrize("announced", [True, False])
async def test_a_long_body_is_413(tmp_path: Path, announced: bool) -> None:
    """Whether its length is announced or not, no more than the bound is read."""
    sent = 0

    async def pieces() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += 1000
            yield b" " * 1000

    async with running_backend(tmp_path, **QUICK, events_max_body_bytes=5000) as backend:
        answer = await backend.http.post(
            "/events", content=b" " * 5001 if announced else pieces(), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["request_id"]


async def test_too_many_events_at_once_are_400(tmp_path: Path) -> None:
    """EVENTS_MAX_PER_REQUEST."""
    async with running_backend(tmp_path, **QUICK, events_max_per_request=2) as backend:
        assert (await _report(backend, GOOD, GOOD, GOOD)).json()["errors"][0]["parameter"] == "body.events"


async def test_too_many_requests_are_429(tmp_path: Path) -> None:
    """EVENTS_REQUESTS_PER_MINUTE of one address; the answer says when to come back."""
    async with running_backend(tmp_path, **QUICK, events_requests_per_minute=3) as backend:
        answers = [await _report(backend, GOOD) for _ in range(8)]  # a full minute may begin in between
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 2 <= len(refused) <= 5
        assert int(refused[0].headers["Retry-After"]) > 0
        assert await backend.metric("tracked_events_refused_total", reason="rate_limited") >= len(refused)


@pytest.mark.req("J-21")
async def test_times_of_clients_are_moved_into_bounds(tmp_path: Path) -> None:
    """Of the last week they are kept as they are; from the future or long ago they are clamped, and the answer says how many."""
    now = dt.datetime.now(dt.UTC)
    times = [now - dt.timedelta(days=2), now + dt.timedelta(days=2), now - dt.timedelta(days=400)]
    async with running_backend(tmp_path, **QUICK) as backend:
        answer = await _report(backend, *(GOOD | {"time": time.isoformat()} for time in times))
        assert answer.json()["clamped"] == 2
    stored = [dt.datetime.fromisoformat(event["timestamp"]) for event in events_in(tmp_path / "spool")]
    assert stored[0] == times[0]
    assert now <= stored[1] <= dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=7) <= now - stored[2] + dt.timedelta(minutes=1) <= dt.timedelta(days=7, minutes=2)


async def test_an_event_that_is_sent_again_is_one_row(tmp_path: Path) -> None:
    """A client that got no answer may repeat itself: its own id makes the second one the same."""
    event = GOOD | {"id": str(uuid.uuid4())}
    async with running_backend(tmp_path, **QUICK) as backend:
        assert [(await _report(backend, event)).status_code for _ in range(3)] == [202, 202, 202]
    async with running_backend(tmp_path, **QUICK) as backend, backend.resources.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM tracked_events")) == 1


@pytest.mark.req("ANA-08")
async def test_a_failing_store_is_not_the_client_s_trouble(tmp_path: Path) -> None:
    """Without a table the answer is 202 as ever, the other store has the event, and the failure is counted."""
    async with running_backend(tmp_path, **QUICK | {"analytics_shutdown_seconds": 1}) as backend:
        await backend.sql("DROP TABLE tracked_events")
        before = await backend.metric("tracked_events_dropped_total", store="postgres", reason="shutdown")
        assert (await _report(backend, GOOD)).status_code == 202
        await eventually("the other store having it", lambda: events_in(tmp_path / "spool"))
    assert len(events_in(tmp_path / "spool")) == 1
    lost = metrics.REGISTRY.get_sample_value("tracked_events_dropped_total", {"store": "postgres", "reason": "shutdown"})
    assert lost == before + 1


@pytest.mark.req("BIZ-06")
async def test_every_declared_event_is_counted_from_zero(backend: Backend) -> None:
    """Each counter is there before its first event, and rises by one with it."""
    before = await backend.metric("tracked_events_total", event_type="notification_not_received", source="web")
    answer = await _report(backend, {"event_type": "notification_not_received", "properties": {"channel": "push"}})
    assert answer.status_code == 202
    assert await backend.metric("tracked_events_total", event_type="notification_not_received", source="web") == before + 1
    exposition = (await backend.http.get("/metrics")).text
    for name in ("feed_load_failed", "suggestion_unavailable", "session_expired", "message_delivered", "payment"):
        assert f'tracked_events_total{{event_type="{name}",source="backend"}}' in exposition
