"""Queries about accounts and their sessions."""

from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import LoginSession, User


async def add(session: AsyncSession, username: str, password_hash: str, display_name: str, email: str | None) -> int | None:
    """Store an account and give back its id; None when the name is taken. Two at once: one wins, and that is no error."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"username": username, "password_hash": password_hash, "display_name": display_name, "email": email}
    statement = insert(User).values(values).on_conflict_do_nothing(index_elements=[User.username]).returning(User.id)
    found: int | None = await session.scalar(statement)
    return found


async def find(session: AsyncSession, user_id: int) -> User | None:
    """The account of that id."""
    return await session.get(User, user_id)


async def find_by_name(session: AsyncSession, username: str) -> User | None:
    """The account of that name."""
    found: User | None = await session.scalar(select(User).where(User.username == username))
    return found


async def remove(session: AsyncSession, user_id: int) -> None:
    """Delete an account and its logins."""
    await session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))
    await session.execute(delete(User).where(User.id == user_id))


async def open_session(session: AsyncSession, session_id: str, user_id: int, token_id: str, expires_at: datetime, now: datetime) -> None:
    """Store a login, and clear away those of the same user that are over."""
    over = or_(LoginSession.expires_at < now, LoginSession.ended_at < now)
    await session.execute(delete(LoginSession).where(LoginSession.user_id == user_id, over))
    session.add(LoginSession(id=session_id, user_id=user_id, token_id=token_id, expires_at=expires_at))


async def find_session(session: AsyncSession, session_id: str) -> LoginSession | None:
    """The login of that id."""
    return await session.get(LoginSession, session_id)


async def rotate(session: AsyncSession, session_id: str, old: str, new: str, expires_at: datetime) -> bool:
    """Put a new refresh token in the place of the old one. False when the old one isn't the present one of an open login."""
    statement = (
        update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.token_id == old, LoginSession.ended_at.is_(None))
        .values(token_id=new, expires_at=expires_at)
        .returning(LoginSession.id)
    )
    return await session.scalar(statement) is not None


async def end_sessions(session: AsyncSession, user_id: int, now: datetime, *, only: str | None = None, but: str | None = None) -> None:
    """End the open logins of a user: all, `only` one, or all `but` one."""
    statement = update(LoginSession).where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
    if only is not None:
        statement = statement.where(LoginSession.id == only)
    if but is not None:
        statement = statement.where(LoginSession.id != but)
    await session.execute(statement.values(ended_at=now))
