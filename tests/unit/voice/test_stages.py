"""The stages of a call in the voice service: what they give, what they refuse, how they misbehave."""

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.config import load_settings
from app.voice import work
from app.voice.knobs import Knobs
from app.voice.main import create_app
from app.voice.misbehaviour import Misbehaviour
from app.voice.schemas import LONGEST_ANSWER, LONGEST_TEXT, Prompt
from app.voice.stages import TokenStream
from tests.support.backend import serving, settings_for
from tests.support.records import spooled

pytestmark = pytest.mark.anyio

QUICK: dict[str, Any] = {
    f"voice_{stage}_{what}_seconds": 0 for stage in ("asr", "llm", "tts", "task") for what in ("latency", "jitter")
} | {"voice_llm_token_seconds": 0}
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "asr": ("/asr", {"speech": "a  table for four"}),
    "llm": ("/llm", {"prompt": "A table for four"}),
    "tts": ("/tts", {"text": "With pleasure."}),
    "task": ("/reserve", {"task": "reservation", "details": {"people": "4"}}),
}


@pytest.fixture
async def voice(tmp_path: Path, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """A service without delays and failures."""
    async with serving(settings_for(tmp_path, **QUICK), create_app) as (_, http):
        yield http


async def _ask(voice: httpx.AsyncClient, stage: str, call_sid: str = "CA1") -> httpx.Response:
    path, body = BODIES[stage]
    return await voice.post(path, json=body, headers={"X-Call-SID": call_sid, "X-Request-ID": f"r-{stage}"})


async def test_the_same_input_gives_the_same_output(voice: httpx.AsyncClient) -> None:
    """Transcript, tokens, sound and confirmation can be told beforehand; the confirmation is the call's own."""
    assert (await _ask(voice, "asr")).json() == {"transcript": "A table for four"}
    lines = [json.loads(line) for line in (await _ask(voice, "llm")).text.splitlines()]
    tokens = work.tokens_for("A table for four", 64)
    assert lines == [*({"token": token} for token in tokens), {"done": True, "tokens": len(tokens)}]
    assert "".join(tokens).endswith(" You said: A table for four")
    sound = await _ask(voice, "tts")
    assert (sound.headers["content-type"], sound.content) == ("audio/wav", work.synthesise("With pleasure."))
    with wave.open(BytesIO(sound.content)) as file:
        assert (file.getframerate(), file.getnframes()) == (work.SAMPLE_RATE, 2 * work.WORD_SAMPLES)
    done = (await _ask(voice, "task")).json()
    assert done == {"confirmation": work.confirmation("reservation", "CA1", {"people": "4"})}
    assert done != (await _ask(voice, "task", "CA2")).json()


@pytest.mark.req("LOG-02", "TRC-07")
async def test_every_record_of_a_call_has_its_id_and_none_has_what_was_said(voice: httpx.AsyncClient, tmp_path: Path) -> None:
    """From the first record to the last, in each stage."""
    for stage in BODIES:
        assert (await _ask(voice, stage)).status_code == 200
    records = [record for record in spooled(tmp_path / "spool") if str(record.get("request_id")).startswith("r-")]
    assert {record.get("call_sid") for record in records} == {"CA1"}
    done = [record["stage"] for record in records if record["event"] == "voice.stage_completed"]
    assert done == list(BODIES)
    assert "four" not in str(records)
    assert "leasure" not in str(records)


@pytest.mark.parametrize("stage", BODIES)
async def test_a_stage_fails_alone_as_its_knobs_ask(voice: httpx.AsyncClient, stage: str) -> None:
    """Status and code are those of its own knobs; the other stages work."""
    await voice.patch("/admin/knobs", json={"stages": {stage: {"failure_share": 1, "failure_status": 529, "failure_code": "no_gpu"}}})
    for asked in BODIES:
        answer = await _ask(voice, asked)
        assert answer.status_code == (529 if asked == stage else 200)
        if asked == stage:
            assert (answer.json()["code"], answer.json()["request_id"]) == ("no_gpu", f"r-{stage}")


@pytest.mark.parametrize("stage", BODIES)
async def test_a_hanging_stage_never_answers(voice: httpx.AsyncClient, stage: str) -> None:
    """Its request is still open when the caller gives up."""
    await voice.patch("/admin/knobs", json={"stages": {stage: {"hang_share": 1}}})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_ask(voice, stage), 0.2)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/asr", {"speech": "x" * (LONGEST_TEXT + 1)}),
        ("/asr", {"speech": "   "}),
        ("/llm", {"prompt": "x", "max_tokens": LONGEST_ANSWER + 1}),
        ("/llm", {"prompt": "x", "max_tokens": 0}),
        ("/tts", {"text": "x" * (LONGEST_TEXT + 1)}),
        ("/reserve", {"task": "world_peace"}),
        ("/reserve", {"task": "reservation", "details": {str(number): "" for number in range(11)}}),
        ("/reserve", {"task": "reservation", "details": {"at": "x" * 201}}),
    ],
)
async def test_inputs_are_bounded(voice: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """Too long, too many, unknown: 400."""
    assert (await voice.post(path, json=body)).status_code == 400


async def test_no_more_tokens_than_asked_for(voice: httpx.AsyncClient) -> None:
    """`max_tokens` bounds the answer."""
    answer = await voice.post("/llm", json={"prompt": "word " * 500, "max_tokens": 7})
    assert json.loads(answer.text.splitlines()[-1]) == {"done": True, "tokens": 7}


async def _stream(gone_after: int) -> list[dict[str, Any]]:
    """What the token stream sends to a caller who hangs up after so many messages."""
    sent: list[dict[str, Any]] = []
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == gone_after:
            gone.set()
            await asyncio.sleep(0)

    knobs = Knobs.from_settings(load_settings(_env_file=None, **QUICK))
    await TokenStream(Misbehaviour(knobs), Prompt(prompt="one two three"))({"type": "http"}, receive, send)
    return sent


async def test_tokens_are_sent_one_by_one() -> None:
    """A message for each, as they come, not one for all."""
    sent = await _stream(gone_after=99)
    bodies = [json.loads(message["body"]) for message in sent[1:]]
    assert [body.get("token", "").strip() for body in bodies][-4:] == ["one", "two", "three", ""]
    assert [message["more_body"] for message in sent[1:]] == [True] * (len(bodies) - 1) + [False]


async def test_a_caller_who_hangs_up_gets_no_more_tokens() -> None:
    """The stream ends with the caller, so that nobody computes for nobody."""
    sent = await _stream(gone_after=2)
    assert len(sent) <= 3
    assert all(message.get("more_body", True) for message in sent)
