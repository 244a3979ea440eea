"""Error answers in the one form that all our services have: {"detail", "request_id"}, and what was wrong with a request."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from app.core import context
from app.core.logger import get_logger

log = get_logger(__name__)


class BadParameter(BaseModel):
    """One parameter that was refused."""

    parameter: str = Field(examples=["query.limit"])
    problem: str = Field(examples=["Input should be less than or equal to 100"])


def error_answer(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """An answer with that status. `more` are further members of its body."""
    return JSONResponse({"detail": detail, "request_id": context.request_id(), **more}, status, headers)


async def answer_bad_parameters(_: Request, error: Exception) -> Response:
    """Handler of FastAPI's RequestValidationError: 400, which names every bad parameter; the record has the names without values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette hands over what was registered
    found = [BadParameter(parameter=_name(item["loc"]), problem=str(item["msg"])) for item in error.errors()]
    names = ", ".join(item.parameter for item in found)
    log.info("A request had bad parameters", event="http.request.invalid", reason=names)
    detail = "; ".join(f"{item.parameter}: {item.problem}" for item in found)
    return error_answer(400, detail, errors=[item.model_dump() for item in found])


def _name(location: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in location)
