"""The HTTP side of the voice service: `uvicorn app.voice.main:app`. One worker, since the knobs live in the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.core.answers import answer_bad_parameters, error_answer
from app.core.config import Settings, get_settings
from app.core.kit import Observability, made_when_asked_for
from app.core.logger import get_logger
from app.core.security import bearer_matches
from app.voice.knobs import Knobs
from app.voice.misbehaviour import CallerGoneError, Misbehaviour, RefusedError
from app.voice.stages import stage_router
from app.voice.suggest import suggestion_router

CLIENT_CLOSED_REQUEST = 499
"""As nginx names it; nobody receives it."""

log = get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without settings, those of the environment."""
    settings = settings or get_settings()
    obs = Observability("voice", settings)
    misbehaviour = Misbehaviour(Knobs.from_settings(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with obs.running():
            yield

    app = FastAPI(
        title="Nöbet voice service",
        version=settings.app_version,
        description="A simulated voice and suggestion service that misbehaves on request.",
        lifespan=lifespan,
        responses={400: {"description": "A parameter is wrong."}, "default": {"description": "A failure, as the knobs ask."}},
    )
    obs.install(app)
    app.add_exception_handler(RequestValidationError, answer_bad_parameters)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(CallerGoneError, _caller_gone)
    app.include_router(suggestion_router(misbehaviour))
    app.include_router(stage_router(misbehaviour))
    if settings.is_trial:
        app.include_router(_admin(misbehaviour, settings))
    return app


def _admin(misbehaviour: Misbehaviour, settings: Settings) -> APIRouter:
    """The knobs at run time: in development and test only, with the bearer token of /metrics when there is one."""

    async def only_for_operators(authorization: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
        if settings.metrics_token.get_secret_value() and not bearer_matches(authorization, settings.metrics_token):
            raise HTTPException(401, "This needs the operators' bearer token.", {"WWW-Authenticate": "Bearer"})

    router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(only_for_operators)])

    @router.get("/knobs")
    async def read_knobs() -> Knobs:
        """How the service behaves now."""
        return misbehaviour.knobs

    @router.patch("/knobs")
    async def change_knobs(change: Annotated[dict[str, Any], Body(examples=[{"stages": {"llm": {"latency_seconds": 1.5}}}])]) -> Knobs:
        """Turn the knobs that are given, at any depth; the others stay."""
        try:
            misbehaviour.knobs = misbehaviour.knobs.changed(change)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_url=False)) from None
        log.warning("The knobs were changed", event="voice.knobs_changed", knobs=change)
        return misbehaviour.knobs

    return router


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - Starlette hands over what was registered
    return error_answer(error.status, "Refused, as the failure settings ask.", code=error.code)


async def _caller_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


__getattr__ = made_when_asked_for(globals(), create_app)
