"""Failures of voice calls as answers."""

from typing import Any, Final

from fastapi import FastAPI, Request, Response

from app.api.errors import NEEDS_TOKEN, ErrorAnswer
from app.core.answers import error_answer
from app.domain.calls import CallMissingError, CallRefusedError
from app.domain.stages import StageFailedError

RETRY_AFTER_SECONDS: Final = "5"

_STAGES: Final = {"asr": "speech recognition", "llm": "language model", "tts": "speech synthesis", "task": "task service"}

_MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": ErrorAnswer, "description": "There is no such call of yours under way."},
}
_FAILED: Final[dict[int | str, dict[str, Any]]] = {
    502: {"model": ErrorAnswer, "description": "A stage of the voice service failed or was too slow; `code` is its own error code."},
    503: {"model": ErrorAnswer, "description": "The voice service can't be reached."},
}
START_RESPONSES: Final = NEEDS_TOKEN | {
    409: {"model": ErrorAnswer, "description": "A call of that id is under way."},
    429: {"model": ErrorAnswer, "description": "Too many calls are under way."},
}
TURN_RESPONSES: Final = NEEDS_TOKEN | _MISSING | _FAILED
TASK_RESPONSES: Final = TURN_RESPONSES | {409: {"model": ErrorAnswer, "description": "The task was refused; `code` says why."}}
END_RESPONSES: Final = NEEDS_TOKEN | _MISSING


def install_call_answers(app: FastAPI) -> None:
    """Answer what can go wrong in a call."""
    app.add_exception_handler(StageFailedError, _stage_failed)
    app.add_exception_handler(CallMissingError, _missing)
    app.add_exception_handler(CallRefusedError, _refused)


async def _stage_failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, StageFailedError)  # noqa: S101 - Starlette hands over what was registered
    who = _STAGES[error.stage]
    if error.outcome == "unreachable":
        return error_answer(503, f"The {who} is not available. Try again later.", {"Retry-After": RETRY_AFTER_SECONDS}, code=error.code)
    if error.outcome == "refused" and error.stage == "task":
        return error_answer(409, "The task was refused. Change it, or ask for another one.", code=error.code)
    if error.outcome == "timeout":
        request.scope["nobet.reported"] = True  # the error tracker has a message about it
        return error_answer(502, f"The {who} did not answer in time. Try again later.", code=error.code)
    return error_answer(502, f"The {who} failed. Try again later.", code=error.code)


async def _missing(_: Request, __: Exception) -> Response:
    return error_answer(404, "There is no such call of yours under way. Begin one with POST /calls.")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, CallRefusedError)  # noqa: S101 - Starlette hands over what was registered
    if error.reason == "exists":
        return error_answer(409, "A call of that id is under way. End it first, or choose another id.")
    return error_answer(429, "Too many calls are under way. Try again later.", {"Retry-After": RETRY_AFTER_SECONDS})
