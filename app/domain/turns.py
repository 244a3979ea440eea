"""A turn of a voice call: what the user said is heard, thought about and answered.

The clock starts when the user's speech has ended, which is when the request
arrives here, and stops for `end_to_end_turn_duration_ms` at the first sound of
the answer. A turn that fails has no such time; its stage is counted instead.
"""

import time
from dataclasses import dataclass

from app.clients.calls import CallStages
from app.core import tracing
from app.core.logger import get_logger
from app.domain.stages import Clock, watched

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """What was understood and answered, and how long each part took, in milliseconds."""

    transcript: str
    reply: str
    audio: bytes
    asr_ms: float
    llm_ttft_ms: float
    llm_ms: float
    tts_ms: float
    end_to_end_ms: float


async def take_turn(stages: CallStages, speech: str, clock: Clock = time.perf_counter) -> Turn:
    """Answer an utterance. Raises StageFailedError."""
    speech_ended = clock()
    with tracing.span("call.turn") as span:
        transcript, asr_ms = await _hear(stages, speech, clock)
        reply, llm_ttft_ms, llm_ms = await _think(stages, transcript, clock)
        speaking = clock()
        audio, first_sound_ms, tts_ms = await _speak(stages, reply, clock)
        end_to_end_ms = round((speaking - speech_ended) * 1000 + first_sound_ms, 3)
        span.set("end_to_end_ms", end_to_end_ms)
        tracing.observe("end_to_end_turn_duration_ms", end_to_end_ms)
    log.info("A turn was answered", event="call.turn_completed", duration_ms=end_to_end_ms, ttft_ms=llm_ttft_ms)
    return Turn(transcript, reply, audio, asr_ms, llm_ttft_ms, llm_ms, tts_ms, end_to_end_ms)


async def _hear(stages: CallStages, speech: str, clock: Clock) -> tuple[str, float]:
    with watched("asr", clock) as watch:
        transcript = await stages.recognise(speech)
        duration = watch.milliseconds()
        tracing.observe("asr_processing_duration_ms", duration)
        _done("asr", duration)
    return transcript, duration


async def _think(stages: CallStages, transcript: str, clock: Clock) -> tuple[str, float, float]:
    with watched("llm", clock) as watch:
        reply = await stages.think(transcript, watch.first)
        to_first, duration = watch.milliseconds_to_first(), watch.milliseconds()
        watch.span.set("ttft_ms", to_first)
        tracing.observe("llm_ttft_duration_ms", to_first)
        _done("llm", duration, to_first)
    return reply, to_first, duration


async def _speak(stages: CallStages, reply: str, clock: Clock) -> tuple[bytes, float, float]:
    with watched("tts", clock) as watch:
        audio = await stages.speak(reply, watch.first)
        to_first, duration = watch.milliseconds_to_first(), watch.milliseconds()
        tracing.observe("tts_processing_duration_ms", duration)
        _done("tts", duration)
    return audio, to_first, duration


def _done(stage: str, duration_ms: float, ttft_ms: float | None = None) -> None:
    log.info("A stage of a turn is done", event="call.stage_completed", stage=stage, duration_ms=duration_ms, ttft_ms=ttft_ms)
