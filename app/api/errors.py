"""Failures as answers: always `{"detail": …, "request_id": …}`, never internals.

Unhandled exceptions are not here: the outermost middleware answers 500, writes
the terminal record and reports them once.
"""

import math
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from app.api.auth_failures import NotSignedInError
from app.core.answers import BadParameter, answer_bad_parameters, error_answer
from app.db.errors import DatabaseBusyError
from app.domain.passwords import PasswordsBusyError
from app.domain.suggestions import SuggestionFailure, SuggestionsUnavailableError

RETRY_AFTER_SECONDS: Final = "1"

SUGGESTION_ANSWERS: Final = {
    SuggestionFailure.FAILED: (502, "The suggestion service failed. Try again later."),
    SuggestionFailure.TIMED_OUT: (502, "The suggestion service did not answer in time. Try again later."),
    SuggestionFailure.UNREACHABLE: (503, "The suggestion service is not available. Try again later."),
}
"""A service that fails or is too slow is a bad gateway (502) to our client; one that isn't there makes us unavailable (503).

504 is kept for requests of our own that ran out of REQUEST_TIMEOUT_SECONDS, so
that the two can be told apart in metrics and alerts; `code` is `timeout` here.
"""


class ErrorAnswer(BaseModel):
    """Every failure. Quote `request_id` when you report it: it finds the records."""

    detail: str = Field(examples=["The suggestion service failed. Try again later."])
    request_id: str | None = Field(examples=["abc123"])
    code: str | None = Field(
        None,
        description="The failure as a short name, where there are several: the dependency's own, or what is wrong with a token.",
        examples=["model_overloaded"],
    )
    errors: list[BadParameter] | None = Field(None, description="With status 400: what was wrong.")


ERROR_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorAnswer, "description": "A parameter is wrong; `errors` says which."},
    429: {"model": ErrorAnswer, "description": "Too many requests from you; `Retry-After` says how many seconds to wait."},
    500: {"model": ErrorAnswer, "description": "We failed. Worth another try; quote `request_id` when it stays."},
    503: {"model": ErrorAnswer, "description": "Overloaded, or something that this needs is away; `Retry-After` says when to try again."},
    504: {"model": ErrorAnswer, "description": "It took longer than REQUEST_TIMEOUT_SECONDS and was given up."},
    "default": {"model": ErrorAnswer, "description": "Any other failure."},
}
"""For the documentation. `default` also keeps FastAPI from announcing the 422 that is never sent."""


NEEDS_TOKEN: Final[dict[int | str, dict[str, Any]]] = {
    401: {
        "model": ErrorAnswer,
        "description": "The token is missing (`code`: `token_missing`), too old (`token_expired`: refresh it), wrong (`token_invalid`), "
        "or its session is over (`session_ended`).",
    },
}
"""For `responses` of endpoints that use CurrentUserDep or OptionalUserDep."""


NOT_YOURS: Final[dict[int | str, dict[str, Any]]] = {403: {"model": ErrorAnswer, "description": "It belongs to somebody else."}}
"""For `responses` of endpoints that change what has an owner."""

MISSING: Final[dict[int | str, dict[str, Any]]] = {404: {"model": ErrorAnswer, "description": "It does not exist, or not any more."}}
"""For `responses` of endpoints that name something which may not exist."""


def there_is_no(what: str, ident: int) -> HTTPException:
    """The 404 to raise."""
    return HTTPException(404, f"There is no {what} {ident}.")


def install_error_answers(app: FastAPI) -> None:
    """Answer the failures that this application knows."""
    app.add_exception_handler(RequestValidationError, answer_bad_parameters)
    app.add_exception_handler(SuggestionsUnavailableError, _suggestions_unavailable)
    app.add_exception_handler(DatabaseBusyError, _database_busy)
    app.add_exception_handler(NotSignedInError, _not_signed_in)
    app.add_exception_handler(PasswordsBusyError, _overloaded)


async def _suggestions_unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, SuggestionsUnavailableError)  # noqa: S101 - Starlette hands over what was registered
    if error.failure is SuggestionFailure.TIMED_OUT:
        report_once(request)
    status, detail = SUGGESTION_ANSWERS[error.failure]
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if error.retry_after else None
    return error_answer(status, detail, headers, code=error.code)


async def _database_busy(request: Request, error: Exception) -> Response:
    report_once(request)
    return await _overloaded(request, error)


async def _overloaded(_request: Request, _error: Exception) -> Response:
    return error_answer(503, "The service is overloaded. Try again shortly.", {"Retry-After": RETRY_AFTER_SECONDS})


async def _not_signed_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotSignedInError)  # noqa: S101 - Starlette hands over what was registered
    if error.reported:
        report_once(request)
    # RFC 6750, section 3.1: no error code for a client that sent no token
    challenge = "Bearer" if error.code == "token_missing" else 'Bearer error="invalid_token"'
    return error_answer(401, error.detail, {"WWW-Authenticate": challenge}, code=error.code)


def report_once(request: Request) -> None:
    """The error tracker has an event about this; the status of the answer shall not be another one."""
    request.scope["nobet.reported"] = True
