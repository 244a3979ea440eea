"""Asking the suggestion service, and saying clearly how it failed when it did."""

import time
from enum import StrEnum
from typing import Any, Final

from app.clients.voice import VoiceClient, VoiceError, VoiceTimeoutError, VoiceUnreachableError
from app.core import error_tracking, metrics, tracing
from app.core.analytics import track_event
from app.core.logger import get_logger

TIMEOUT_ISSUE: Final = "The suggestion service exceeded its time limit"
"""Text of the error event of every time-out."""

TIMEOUT_FINGERPRINT: Final = ("processing-limit-exceeded",)
"""All time-outs are one issue, whatever else their events say."""

log = get_logger(__name__)


class SuggestionFailure(StrEnum):
    """How the suggestion service failed; the value is the `outcome` label."""

    FAILED = "failure"
    TIMED_OUT = "timeout"
    UNREACHABLE = "unreachable"


class SuggestionsUnavailableError(Exception):
    """There are no suggestions right now. `code` is the service's own error code, or ours for its silence.

    `retry_after`, in seconds, is known when the service is left alone for a while.
    """

    def __init__(self, failure: SuggestionFailure, code: str, retry_after: float | None = None) -> None:
        super().__init__(f"No suggestions: {failure} ({code})")
        self.failure: Final = failure
        self.code: Final = code
        self.retry_after: Final = retry_after


async def fetch_suggestions(voice: VoiceClient, user_id: str, topic: str, count: int) -> list[str]:
    """Up to `count` suggestions for a user. Raises SuggestionsUnavailableError, after it was logged and counted."""
    started = time.perf_counter()
    try:
        with tracing.span("suggestion.fetch", **{"nobet.count": count}):
            suggestions = await voice.suggest(user_id, topic, count)
    except VoiceError as error:
        failure = _failure_of(error)
        _report_failure(failure, error.code, user_id, _milliseconds(started))
        raise SuggestionsUnavailableError(failure, error.code, getattr(error, "retry_after", None)) from error
    metrics.counter("suggestions_total").labels(outcome="success").inc()
    log.info(
        "Suggestions received", event="suggestion.received", user_id=user_id, count=len(suggestions), duration_ms=_milliseconds(started)
    )
    return suggestions


def _failure_of(error: VoiceError) -> SuggestionFailure:
    if isinstance(error, VoiceTimeoutError):
        return SuggestionFailure.TIMED_OUT
    return SuggestionFailure.UNREACHABLE if isinstance(error, VoiceUnreachableError) else SuggestionFailure.FAILED


def _report_failure(failure: SuggestionFailure, code: str, user_id: str, duration_ms: float) -> None:
    metrics.counter("suggestions_total").labels(outcome=failure).inc()
    fields: dict[str, Any] = {"outcome": str(failure), "error_code": code, "user_id": user_id, "duration_ms": duration_ms}
    if failure is SuggestionFailure.TIMED_OUT:
        log.warning("The suggestion service did not answer in time", event="suggestion.timed_out", **fields)
        error_tracking.capture_message(TIMEOUT_ISSUE, level="warning", fingerprint=TIMEOUT_FINGERPRINT, error_code=code)
    else:
        log.warning("The suggestion service failed", event="suggestion.failed", **fields)
    track_event(user_id, "suggestion_unavailable", {"error_code": code, "reason": str(failure)})


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
