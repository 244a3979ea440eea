"""The voice service by itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.voice.main import create_app
from tests.support.backend import serving, settings_for
from tests.support.records import spooled

pytestmark = pytest.mark.anyio

TOKEN = "0123456789abcdef0123456789"
WANTED = {"user_id": "42", "topic": "chess", "count": 3}
QUICK: dict[str, Any] = {"voice_latency_seconds": 0, "voice_jitter_seconds": 0}


@pytest.fixture
async def voice(tmp_path: Path, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """A service without delays and failures."""
    async with serving(settings_for(tmp_path, **QUICK), create_app) as (_, http):
        yield http


async def test_as_many_suggestions_as_asked_for(voice: httpx.AsyncClient) -> None:
    """They speak of the topic and differ."""
    answer = await voice.post("/suggest", json=WANTED)
    suggestions = answer.json()["suggestions"]
    assert (answer.status_code, len(set(suggestions))) == (200, 3)
    assert all("chess" in suggestion for suggestion in suggestions)


async def test_a_user_is_no_address(voice: httpx.AsyncClient, tmp_path: Path) -> None:
    """The user id stands in every record, so what can't be one is refused here too, and is in none."""
    assert (await voice.post("/suggest", json={**WANTED, "user_id": "somebody@example.org"})).status_code == 400
    assert "somebody" not in str(spooled(tmp_path / "spool"))


@pytest.mark.req("COR-15", "TRC-03", "LOG-29")
async def test_id_and_trace_of_the_caller_are_kept(voice: httpx.AsyncClient, tmp_path: Path) -> None:
    """Its records carry the caller's request id and trace id, under its own service name; the topic is in none."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "abc123", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = await voice.post("/suggest", json=WANTED, headers=headers)
    assert answer.headers["X-Request-ID"] == "abc123"
    records = [record for record in spooled(tmp_path / "spool") if record.get("request_id") == "abc123"]
    assert {"http.request.started", "voice.suggested", "http.request.completed"} <= {record["event"] for record in records}
    assert {(record["service_name"], record["trace_id"]) for record in records} == {("voice", trace)}
    assert "chess" not in str(records)


async def test_failures_have_the_status_and_code_of_the_knobs(tmp_path: Path, anyio_backend: str) -> None:
    """With a share of 1 every answer is the failure that VOICE_* asks for, and a WARNING."""
    settings = settings_for(tmp_path, **QUICK, voice_failure_share=1, voice_failure_status=529, voice_failure_code="no_gpu")
    async with serving(settings, create_app) as (_, http):
        answer = await http.post("/suggest", json=WANTED, headers={"X-Request-ID": "f1"})
    assert (answer.status_code, answer.json()["code"], answer.json()["request_id"]) == (529, "no_gpu", "f1")
    (record,) = [record for record in spooled(tmp_path / "spool") if record.get("event") == "voice.refused"]
    assert (record["level"], record["error_code"], record["user_id"]) == ("WARNING", "no_gpu", "42")


async def test_the_knobs_turn_at_run_time_one_by_one(voice: httpx.AsyncClient) -> None:
    """A change holds from the next request on and leaves the other knobs; it can be taken back."""
    before = (await voice.get("/admin/knobs")).json()
    changed = await voice.patch("/admin/knobs", json={"failure_share": 1})
    assert changed.json() == before | {"failure_share": 1}
    assert (await voice.post("/suggest", json=WANTED)).status_code == 503
    await voice.patch("/admin/knobs", json=before)
    assert (await voice.post("/suggest", json=WANTED)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"failure_share": 2},
        {"failure_status": 200},
        {"latency_seconds": -1},
        {"failure_code": "A B"},
        {"speed": 1},
        {"stages": {"llm": {"hang_share": 2}}},
        [],
        "x",
    ],
)
async def test_a_knob_that_cannot_be_turned_so_changes_nothing(voice: httpx.AsyncClient, change: Any) -> None:
    """Values out of range and unknown knobs are refused."""
    before = (await voice.get("/admin/knobs")).json()
    assert (await voice.patch("/admin/knobs", json=change)).status_code == 400
    assert (await voice.get("/admin/knobs")).json() == before


async def test_a_hanging_service_never_answers(voice: httpx.AsyncClient) -> None:
    """With a share of 1 a request is still open when its caller gives up."""
    await voice.patch("/admin/knobs", json={"hang_share": 1})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(voice.post("/suggest", json=WANTED), 0.2)


@pytest.mark.req("ERR-07")
@pytest.mark.parametrize("path", ["/suggest", "/asr", "/llm", "/tts", "/reserve"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"speech": 5, "prompt": "", "text": [], "task": "war"}', b"\xff"])
async def test_a_body_that_cannot_be_used_is_400(voice: httpx.AsyncClient, path: str, body: bytes) -> None:
    """In the form that the app answers too: what is wrong, and the request id; never a 422 or a 5xx."""
    answer = await voice.post(path, content=body, headers={"Content-Type": "application/json", "X-Request-ID": "bad1"})
    assert (answer.status_code, answer.json()["request_id"]) == (400, "bad1")
    assert answer.json()["detail"]


async def test_the_knobs_ask_for_the_token_where_there_is_one(tmp_path: Path, anyio_backend: str) -> None:
    """401 without it or with another, 200 with it."""
    async with serving(settings_for(tmp_path, **QUICK, metrics_token=TOKEN), create_app) as (_, http):
        answers = [
            (await http.patch("/admin/knobs", json={}, headers={"Authorization": value} if value else {})).status_code
            for value in ("", "Bearer wrong", f"Bearer {TOKEN}")
        ]
    assert answers == [401, 401, 200]


async def test_production_has_no_knobs_to_turn(tmp_path: Path, anyio_backend: str) -> None:
    """404, with the token too."""
    async with serving(settings_for(tmp_path, **QUICK, metrics_token=TOKEN, environment="production"), create_app) as (_, http):
        answer = await http.get("/admin/knobs", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404
