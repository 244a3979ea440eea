"""What every request to a stage of the voice service leaves behind: a span, a count, a record, and a failure that says which stage."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from app.clients.calls import StageRefusedError
from app.clients.voice import VoiceError, VoiceTimeoutError, VoiceUnreachableError
from app.core import error_tracking, metrics, tracing
from app.core.logger import get_logger

SPANS: Final = {"asr": "asr_processing", "llm": "llm_call", "tts": "tts_processing", "task": "task_execution"}

Clock = Callable[[], float]
"""Seconds that only grow."""

log = get_logger(__name__)


class StageFailedError(Exception):
    """A stage did not do its part. `outcome` is refused, failure, timeout or unreachable; `code` is its own error code, or ours."""

    def __init__(self, stage: str, outcome: str, code: str) -> None:
        super().__init__(f"{stage}: {outcome} ({code})")
        self.stage: Final = stage
        self.outcome: Final = outcome
        self.code: Final = code


class Watch:
    """Measures one request to a stage."""

    def __init__(self, span: tracing.SpanHandle, clock: Clock) -> None:
        self.span: Final = span
        self._clock: Final = clock
        self._started: Final = clock()
        self._first: float | None = None

    def first(self) -> None:
        """The first token or sound is there."""
        self._first = self._clock()

    def milliseconds(self) -> float:
        """Time so far."""
        return _milliseconds(self._clock() - self._started)

    def milliseconds_to_first(self) -> float:
        """Time to the first token or sound; of an answer without any, to its end."""
        return _milliseconds((self._first or self._clock()) - self._started)


@contextmanager
def watched(stage: str, clock: Clock = time.perf_counter) -> Iterator[Watch]:
    """Around a request to a stage. A VoiceError comes out as StageFailedError, after it was recorded and counted."""
    outcomes = metrics.counter("voice_stage_requests_total")
    watch = None
    try:
        with tracing.span(SPANS[stage]) as span:
            watch = Watch(span, clock)
            yield watch
    except VoiceError as error:
        outcome = _outcome(error)
        outcomes.labels(stage=stage, outcome=outcome).inc()
        log.warning(
            "A stage of the voice service failed",
            event="call.stage_failed",
            stage=stage,
            outcome=outcome,
            error_code=error.code,
            duration_ms=watch.milliseconds() if watch else None,
        )
        if outcome == "timeout":
            # The text has no values, so that all time-outs of a stage are one issue.
            error_tracking.capture_message(f"The {stage} stage of the voice service exceeded its time limit", level="warning")
        raise StageFailedError(stage, outcome, error.code) from error
    outcomes.labels(stage=stage, outcome="success").inc()


def _outcome(error: VoiceError) -> str:
    if isinstance(error, VoiceTimeoutError):
        return "timeout"
    if isinstance(error, VoiceUnreachableError):
        return "unreachable"
    return "refused" if isinstance(error, StageRefusedError) else "failure"


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
