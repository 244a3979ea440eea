"""Suggestions, after as much misbehaviour as the knobs ask for."""

from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app.core import context, tracing
from app.core.logger import get_logger
from app.voice.misbehaviour import CallerGone, Misbehaviour

PATTERNS: Final = (
    "Something new about {topic}",
    "{topic}, but half as long",
    "What others like about {topic}",
    "{topic} for beginners",
    "The quiet side of {topic}",
    "{topic} in ten minutes",
    "A week of {topic}",
    "{topic} with friends",
    "Less {topic}, more sleep",
    "The history of {topic}",
)

log = get_logger(__name__)


class SuggestionsWanted(BaseModel):
    """What the suggestions are for."""

    user_id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="It is logged, so never an e-mail address.", examples=["42"])
    topic: str = Field(min_length=1, max_length=200, examples=["dinner"])
    count: int = Field(3, ge=1, le=len(PATTERNS))


class Suggestions(BaseModel):
    """The suggestions, in no order."""

    suggestions: list[str]


def suggestion_router(misbehaviour: Misbehaviour) -> APIRouter:
    """POST /suggest."""
    router = APIRouter(tags=["suggestions"])

    @router.post("/suggest")
    async def make_suggestions(wanted: SuggestionsWanted, request: Request) -> Suggestions:
        """Suggestions about a topic. A failure has the status and the `code` that the knobs ask for."""
        context.bind(user_id=wanted.user_id)
        # The body has been read, so the next message is the caller's goodbye.
        return Suggestions(suggestions=await _suggest(misbehaviour, wanted.topic, wanted.count, request.receive))

    return router


async def _suggest(misbehaviour: Misbehaviour, topic: str, count: int, caller_gone: CallerGone) -> list[str]:
    with tracing.span("suggestion.compute"):
        await misbehaviour.before("suggest", caller_gone)
        found = [pattern.format(topic=topic) for pattern in PATTERNS[:count]]
    log.info("Suggestions made", event="voice.suggested", count=len(found))
    return found
