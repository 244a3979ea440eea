"""The HTTP side of the voice service: `uvicorn app.voice.main:app`. One worker, since the knobs live in the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from app.core import context
from app.core.config import Settings, get_settings
from app.core.kit import Observability, made_when_asked_for
from app.core.logger import get_logger
from app.core.security import bearer_matches
from app.voice.knobs import Knobs, KnobsChange, Misbehaviour
from app.voice.suggest import PATTERNS, RefusedError, suggest

log = get_logger(__name__)


class SuggestionsWanted(BaseModel):
    """What the suggestions are for."""

    user_id: str = Field(min_length=1, max_length=64, examples=["42"])
    topic: str = Field(min_length=1, max_length=200, examples=["dinner"])
    count: int = Field(3, ge=1, le=len(PATTERNS))


class Suggestions(BaseModel):
    """The suggestions, in no order."""

    suggestions: list[str]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without settings, those of the environment."""
    settings = settings or get_settings()
    obs = Observability("voice", settings)
    misbehaviour = Misbehaviour.from_settings(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with obs.running():
            yield

    app = FastAPI(
        title="Nöbet voice service",
        version=settings.app_version,
        description="A simulated voice and suggestion service that misbehaves on request.",
        lifespan=lifespan,
    )
    obs.install(app)
    app.add_exception_handler(RefusedError, _refused)
    app.include_router(_suggestions(misbehaviour))
    if settings.is_trial:
        app.include_router(_admin(misbehaviour, settings))
    return app


def _suggestions(misbehaviour: Misbehaviour) -> APIRouter:
    router = APIRouter(tags=["suggestions"])

    @router.post("/suggest")
    async def make_suggestions(wanted: SuggestionsWanted, request: Request) -> Suggestions:
        """Suggestions about a topic. A failure has the status and the `code` that the knobs ask for."""
        context.bind(user_id=wanted.user_id)
        # The body has been read, so the next message is the caller's goodbye.
        return Suggestions(suggestions=await suggest(misbehaviour, wanted.topic, wanted.count, request.receive))

    return router


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
    async def change_knobs(change: KnobsChange) -> Knobs:
        """Turn some knobs; the others stay."""
        knobs = misbehaviour.change(change)
        log.warning("The knobs were changed", event="voice.knobs_changed", **change.model_dump(exclude_none=True))
        return knobs

    return router


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - Starlette hands over what was registered
    body = {"detail": "Refused, as the failure settings ask.", "request_id": context.request_id(), "code": error.code}
    return JSONResponse(body, error.status)


__getattr__ = made_when_asked_for(globals(), create_app)
