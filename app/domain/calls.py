"""Voice calls: their beginning, their end, and those that were forgotten.

A call is a row in the database, so every worker knows it, and it ends exactly
once, whoever ends it.
"""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.exc import IntegrityError

from app.core import context, metrics
from app.core.logger import get_logger
from app.db import calls
from app.db.engine import Database

LONGEST_PAUSE_SECONDS: Final = 30.0
"""Between two looks for forgotten calls; a shorter CALL_IDLE_SECONDS makes it shorter."""

log = get_logger(__name__)


class CallRefusedError(Exception):
    """The call can't begin. `reason` is `exists` or `too_many`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


class CallMissingError(Exception):
    """That user has no such call under way: it never was, it has ended, or it is somebody else's."""


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that is over."""

    call_sid: str
    duration_seconds: float
    turns: int


async def start_call(database: Database, user_id: str, call_sid: str | None, most: int) -> str:
    """Begin a call and give back its id, which is made when None is given. Raises CallRefusedError beyond `most` calls at once."""
    call_sid = call_sid or f"CA{secrets.token_hex(16)}"
    context.bind(call_sid=call_sid)
    async with database.session() as session:
        if await calls.find(session, call_sid) is not None:
            raise CallRefusedError("exists")
        if await calls.count(session) >= most:
            raise CallRefusedError("too_many")
        try:
            await calls.add(session, call_sid, user_id)
        except IntegrityError:  # two began it at once
            raise CallRefusedError("exists") from None
    metrics.counter("calls_total").inc()
    log.info("A voice call began", event="call.started", user_id=user_id)
    return call_sid


async def enter_call(database: Database, user_id: str, call_sid: str, turns: int = 0) -> int:
    """Note that something happens in a call; its number of turns so far. Raises CallMissingError."""
    async with database.session() as session:
        call = await calls.touch(session, call_sid, user_id, datetime.now(UTC), turns)
    if call is None:
        raise CallMissingError
    return call.turns


async def end_call(database: Database, user_id: str, call_sid: str) -> EndedCall:
    """Hang up. Raises CallMissingError, also for a call that has ended already."""
    async with database.session() as session:
        call = await calls.remove(session, call_sid, user_id)
    if call is None:
        raise CallMissingError
    seconds = _count_end("hangup", call.started_at, datetime.now(UTC))
    log.info("A voice call ended", event="call.ended", duration_ms=round(seconds * 1000, 3), count=call.turns)
    return EndedCall(call_sid, seconds, call.turns)


async def end_forgotten(database: Database, idle_seconds: float, now: datetime | None = None) -> int:
    """End the calls in which nothing has happened for so long; how many there were. Their length ends with the last sign of life."""
    before = (now or datetime.now(UTC)) - timedelta(seconds=idle_seconds)
    async with database.connection() as connection:
        ended = await calls.remove_idle(connection, before)
    for call_sid, started_at, active_at, turns in ended:
        with context.run("calls", call_sid=call_sid):
            seconds = _count_end("forgotten", started_at, active_at)
            log.warning("A forgotten voice call was ended", event="call.forgotten", duration_ms=round(seconds * 1000, 3), count=turns)
    return len(ended)


async def sweep_forgotten(database: Database, idle_seconds: float) -> None:
    """End forgotten calls for ever. A database that is away is waited for, and said once."""
    works = True
    while True:
        await asyncio.sleep(min(idle_seconds / 4, LONGEST_PAUSE_SECONDS))
        try:
            await end_forgotten(database, idle_seconds)
            works = True
        except Exception as error:  # noqa: BLE001 - whatever the database does, later it may work again
            if works:
                with context.run("calls"):
                    log.warning("Forgotten calls can't be looked for", event="call.sweep_failed", error_type=type(error).__name__)
            works = False


def _count_end(reason: str, started: datetime, ended: datetime) -> float:
    seconds = max((ended - started).total_seconds(), 0.0)
    metrics.counter("calls_ended_total").labels(reason=reason).inc()
    metrics.histogram("call_duration_seconds").observe(seconds)
    return seconds
