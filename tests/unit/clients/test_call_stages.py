"""The client of the voice stages: time limits, circuits, and answers that are none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import httpx
import pytest

from app.clients.calls import MOST_BYTES, CallStages, StageRefusedError
from app.clients.voice import VoiceAnswerError, VoiceError, VoiceTimeoutError, VoiceUnreachableError
from app.core import context
from app.core.config import load_settings
from tests.support.calls import StageStub

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


def _stages(stub: StageStub, **settings: Any) -> CallStages:
    return stub.stages(load_settings(_env_file=None), **settings)


def _ignored() -> None:
    return None


async def _think(stages: CallStages) -> str:
    return await stages.think("A table", _ignored)


async def _never() -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


def _lines(*lines: bytes) -> httpx.Response:
    return httpx.Response(200, content=b"\n".join(lines) + b"\n")


@pytest.mark.req("TRC-03", "COR-15")
async def test_ids_of_call_request_and_trace_go_along() -> None:
    """Every stage gets all three."""
    stub = StageStub()
    stages = _stages(stub)
    with context.run("test", call_sid="CA7", trace_id="0af7651916cd43dd8448eb211c80319c") as request_id:
        await stages.recognise("a table")
        await _think(stages)
        await stages.speak("Gladly.", _ignored)
        await stages.execute("reservation", {})
    assert [request.url.path for request in stub.seen] == ["/asr", "/llm", "/tts", "/reserve"]
    for request in stub.seen:
        assert (request.headers["X-Call-SID"], request.headers["X-Request-ID"]) == ("CA7", request_id)
        assert request.headers["traceparent"].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("/asr", "call_asr_timeout_seconds"),
        ("/llm", "call_llm_first_token_seconds"),
        ("/tts", "call_tts_timeout_seconds"),
        ("/reserve", "call_task_timeout_seconds"),
    ],
)
async def test_each_stage_has_its_time_limit(path: str, setting: str) -> None:
    """A stage that never answers ends with its own limit, while the others' limits are long."""
    stages = _stages(StageStub(broken={path: _never}), **{setting: 0.01})
    asks: dict[str, Awaitable[object]] = {
        "/asr": stages.recognise("x"),
        "/llm": _think(stages),
        "/tts": stages.speak("x", _ignored),
        "/reserve": stages.execute("reservation", {}),
    }
    for other, unasked in asks.items():
        if other != path:
            await unasked
    with pytest.raises(VoiceTimeoutError) as caught:
        await asks[path]
    assert caught.value.code == "timeout"


async def test_the_first_token_ends_its_own_limit() -> None:
    """A model that has begun may take longer than the first token's limit, up to the limit of the whole answer."""

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"token": "A"}\n'
        await asyncio.sleep(0.2)
        yield b'{"token": " B"}\n{"done": true}\n'

    async def answer() -> httpx.Response:
        return httpx.Response(200, content=slowly())

    limits: dict[str, Any] = {"call_llm_first_token_seconds": 0.1}
    assert await _think(_stages(StageStub(broken={"/llm": answer}), **limits, call_llm_timeout_seconds=30)) == "A B"
    with pytest.raises(VoiceTimeoutError):
        await _think(_stages(StageStub(broken={"/llm": answer}), **limits, call_llm_timeout_seconds=0.1))


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (_lines(b'{"token": "A"}'), "cut_off"),
        (_lines(b'{"token": "A"}', b"{"), "bad_answer"),
        (_lines(b"[1]"), "bad_answer"),
        (_lines(b'{"word": "A"}'), "bad_answer"),
        (httpx.Response(200, content=b""), "cut_off"),
        (httpx.Response(200, content=b'{"token": "' + b"x" * MOST_BYTES + b'"}\n{"done": true}\n'), "too_long"),
        (httpx.Response(503, json={"code": "model_overloaded"}), "model_overloaded"),
        (httpx.Response(500, content=b"<html>"), "http_500"),
        (httpx.Response(404, json={"code": "x y"}), "http_404"),
    ],
)
async def test_what_is_no_answer_is_an_error_with_a_code(response: httpx.Response, code: str) -> None:
    """A stream that breaks off, lines that are none, and error answers."""
    with pytest.raises(VoiceAnswerError) as caught:
        await _think(_stages(StageStub(broken={"/llm": response})))
    assert caught.value.code == code


@pytest.mark.parametrize("body", [b"", b"[]", b'{"transcript": 5}', b"\xff"])
async def test_a_transcript_that_cannot_be_read_is_an_error(body: bytes) -> None:
    """Never an exception of a parser."""
    with pytest.raises(VoiceAnswerError) as caught:
        await _stages(StageStub(broken={"/asr": httpx.Response(200, content=body)})).recognise("x")
    assert caught.value.code == "bad_answer"


async def test_too_much_sound_is_refused() -> None:
    """Memory is bounded whatever the other side sends."""
    with pytest.raises(VoiceAnswerError) as caught:
        await _stages(StageStub(broken={"/tts": httpx.Response(200, content=b"x" * (MOST_BYTES + 1))})).speak("x", _ignored)
    assert caught.value.code == "too_long"


@pytest.mark.req("ERR-09")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx.ConnectError("refused"), "unreachable"),
        (httpx.ConnectTimeout("slow"), "connect_timeout"),
        (httpx.RemoteProtocolError("gone"), "unreachable"),
    ],
)
async def test_a_service_that_is_away_is_unreachable(error: httpx.TransportError, code: str) -> None:
    """Told apart from one that is slow."""
    with pytest.raises(VoiceUnreachableError) as caught:
        await _stages(StageStub(broken={"/asr": error})).recognise("x")
    assert caught.value.code == code


async def test_without_an_address_nothing_is_asked() -> None:
    """With VOICE_URL empty the code is `not_configured`."""
    with pytest.raises(VoiceUnreachableError) as caught:
        await _stages(StageStub(), voice_url="").recognise("x")
    assert caught.value.code == "not_configured"


async def test_a_stage_that_keeps_failing_is_left_alone_and_the_others_are_not() -> None:
    """After CIRCUIT_FAILURES failures the model isn't asked any more; speech recognition still is."""
    stub = StageStub(broken={"/llm": httpx.Response(500)})
    stages = _stages(stub, circuit_failures=3, circuit_open_seconds=60)
    codes = []
    for _ in range(5):
        with pytest.raises(VoiceError) as caught:
            await _think(stages)
        codes.append(caught.value.code)
    assert codes == ["http_500"] * 3 + ["circuit_open"] * 2
    assert await stages.recognise("hello") == "Hello"
    assert len(stub.seen) == 4


async def test_a_refusal_is_no_sign_of_ill_health() -> None:
    """A 4xx says no, and the circuit stays closed."""
    stages = _stages(StageStub(broken={"/reserve": httpx.Response(409, json={"code": "fully_booked"})}), circuit_failures=1)
    for _ in range(3):
        with pytest.raises(StageRefusedError) as caught:
            await stages.execute("reservation", {})
        assert caught.value.code == "fully_booked"
