"""Queries about voice calls under way. Every worker sees the same ones, and each change is one statement, so none is made twice."""

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.db.models import Call


async def count(session: AsyncSession) -> int:
    """How many there are."""
    return await session.scalar(select(func.count()).select_from(Call)) or 0


async def find(session: AsyncSession, call_sid: str) -> Call | None:
    """The call of that id, whoever's it is."""
    return await session.get(Call, call_sid)


async def add(session: AsyncSession, call_sid: str, user_id: str) -> Call:
    """Begin a call."""
    call = Call(call_sid=call_sid, user_id=user_id)
    session.add(call)
    await session.flush()
    return call


async def touch(session: AsyncSession, call_sid: str, user_id: str, now: datetime, turns: int) -> Call | None:
    """Note that something happens in a call of that user, and add to its turns. None when there is no such call."""
    mine = (Call.call_sid == call_sid, Call.user_id == user_id)
    changed = update(Call).where(*mine).values(active_at=now, turns=Call.turns + turns).returning(Call)
    found: Call | None = await session.scalar(changed)
    return found


async def remove(session: AsyncSession, call_sid: str, user_id: str) -> Call | None:
    """End a call of that user and give it back as it was. None when there is no such call (any more)."""
    ended = delete(Call).where(Call.call_sid == call_sid, Call.user_id == user_id).returning(Call)
    found: Call | None = await session.scalar(ended)
    return found


async def remove_idle(connection: AsyncConnection, before: datetime) -> list[tuple[str, datetime, datetime, int]]:
    """End every call in which nothing has happened since `before`: id, start, last sign of life and turns of each."""
    ended = delete(Call).where(Call.active_at < before).returning(Call.call_sid, Call.started_at, Call.active_at, Call.turns)
    return [(row.call_sid, row.started_at, row.active_at, row.turns) for row in await connection.execute(ended)]
