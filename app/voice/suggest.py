"""Making suggestions, after as much misbehaviour as the knobs ask for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from app.core import tracing
from app.core.logger import get_logger
from app.voice.knobs import Misbehaviour

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


class RefusedError(Exception):
    """The service fails, as its knobs ask. `status` and `code` are what the caller gets to see."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status: Final = status
        self.code: Final = code


async def suggest(misbehaviour: Misbehaviour, topic: str, count: int, caller_gone: Callable[[], Awaitable[object]]) -> list[str]:
    """`count` suggestions about a topic. Raises RefusedError, or hangs until the caller has gone, when the knobs say so."""
    with tracing.span("suggestion.compute"):
        if misbehaviour.hangs():
            await caller_gone()
            return []
        await asyncio.sleep(misbehaviour.delay())
        if misbehaviour.fails():
            knobs = misbehaviour.knobs
            log.warning("Refused, as the failure settings ask", event="voice.refused", error_code=knobs.failure_code)
            raise RefusedError(knobs.failure_status, knobs.failure_code)
        found = [pattern.format(topic=topic) for pattern in PATTERNS[:count]]
    log.info("Suggestions made", event="voice.suggested", count=len(found))
    return found
