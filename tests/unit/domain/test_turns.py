"""What a turn of a call measures, on a clock that only the stub moves."""

import pytest

from app.core.config import load_settings
from app.core.telemetry.metrics import METRICS
from app.domain.stages import StageFailedError
from app.domain.turns import take_turn
from tests.support.asgi import sample
from tests.support.calls import StageStub

pytestmark = pytest.mark.anyio

DURATIONS = ("asr_processing_duration_ms", "llm_ttft_duration_ms", "tts_processing_duration_ms", "end_to_end_turn_duration_ms")


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


def _sums() -> list[float]:
    return [sample(f"{name}_sum") for name in DURATIONS]


def _counts() -> list[float]:
    return [sample(f"{name}_count") for name in DURATIONS]


def _since(before: list[float], now: list[float]) -> list[float]:
    return [round(after - earlier, 3) for earlier, after in zip(before, now, strict=True)]


@pytest.mark.req("LAT-01", "LAT-02", "LAT-03", "LAT-04", "C-35")
async def test_each_stage_and_the_whole_turn_are_measured_in_milliseconds() -> None:
    """120 ms of hearing, 300 to the first token, 100 of speaking; the whole lasts from the end of the speech to the first sound."""
    stub = StageStub(asr_seconds=0.12, first_token_seconds=0.3, other_tokens_seconds=0.05, tts_seconds=0.1)
    sums, counts = _sums(), _counts()
    turn = await take_turn(stub.stages(load_settings(_env_file=None)), "a table for four", stub.clock)
    assert (turn.asr_ms, turn.llm_ttft_ms, turn.llm_ms, turn.tts_ms, turn.end_to_end_ms) == (120, 300, 350, 100, 570)
    assert _since(sums, _sums()) == [120, 300, 100, 570]
    assert _since(counts, _counts()) == [1, 1, 1, 1]
    assert (turn.transcript, turn.reply.endswith("You said: A table for four")) == ("A table for four", True)


@pytest.mark.req("LAT-02")
@pytest.mark.parametrize("rest", [0.0, 1.0, 9.0])
async def test_the_first_token_does_not_wait_for_the_last(rest: float) -> None:
    """300 ms to the first token are 300 ms, however long the whole answer takes."""
    stub = StageStub(first_token_seconds=0.3, other_tokens_seconds=rest)
    turn = await take_turn(stub.stages(load_settings(_env_file=None)), "hello", stub.clock)
    assert (turn.llm_ttft_ms, turn.llm_ms) == (300, 300 + rest * 1000)


@pytest.mark.req("LAT-05", "ALR-09")
@pytest.mark.parametrize("name", DURATIONS)
def test_the_limit_of_the_alert_is_an_edge(name: str) -> None:
    """1000 ms is among the buckets, next to the values that the documents left open."""
    assert METRICS[name].buckets == (50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000)


@pytest.mark.parametrize(("path", "stage", "measured"), [("/asr", "asr", 0), ("/llm", "llm", 1), ("/tts", "tts", 2)])
async def test_a_turn_that_fails_says_at_which_stage(path: str, stage: str, measured: int) -> None:
    """The stages before it are measured, the turn is not: nobody began to answer."""
    stub = StageStub(broken={path: TimeoutError()})
    counts = _counts()
    outcomes = {"stage": stage, "outcome": "timeout"}
    before = sample("voice_stage_requests_total", **outcomes)
    with pytest.raises(StageFailedError) as caught:
        await take_turn(stub.stages(load_settings(_env_file=None)), "hello", stub.clock)
    assert (caught.value.stage, caught.value.outcome, caught.value.code) == (stage, "timeout", "timeout")
    assert _since(counts, _counts()) == [float(place < measured) for place in range(4)]
    assert sample("voice_stage_requests_total", **outcomes) == before + 1
