"""Dawdling, hanging and failing, as the knobs ask."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from app.core.logger import get_logger
from app.voice.knobs import Knobs, Part

CallerGone = Callable[[], Awaitable[object]]
"""Comes back when the caller has hung up."""

log = get_logger(__name__)


class RefusedError(Exception):
    """The service fails, as its knobs ask. `status` and `code` are what the caller gets to see."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status: Final = status
        self.code: Final = code


class CallerGoneError(Exception):
    """Nobody waits for the answer any more."""


class Misbehaviour:
    """The knobs in force, and the dice."""

    def __init__(self, knobs: Knobs, dice: random.Random | None = None) -> None:
        self.knobs = knobs
        self._dice: Final = dice or random.Random()  # noqa: S311 - chance, not secrecy

    def delay(self, part: Part) -> float:
        """Seconds that the next answer of a part takes."""
        knobs = self.knobs.of(part)
        return knobs.latency_seconds + self._dice.uniform(0, knobs.jitter_seconds)

    def hangs(self, part: Part) -> bool:
        """Whether its next request is never answered."""
        return self._dice.random() < self.knobs.of(part).hang_share

    def fails(self, part: Part) -> bool:
        """Whether its next answer is a failure."""
        return self._dice.random() < self.knobs.of(part).failure_share

    async def before(self, part: Part, caller_gone: CallerGone) -> None:
        """What stands between a request and its answer: time. Raises RefusedError, or CallerGoneError after a hang."""
        if self.hangs(part):
            await caller_gone()
            raise CallerGoneError
        await asyncio.sleep(self.delay(part))
        if self.fails(part):
            knobs = self.knobs.of(part)
            log.warning("Refused, as the failure settings ask", event="voice.refused", stage=part, error_code=knobs.failure_code)
            raise RefusedError(knobs.failure_status, knobs.failure_code)
