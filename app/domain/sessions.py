"""Sessions: what a login opens, refreshing keeps alive, and logging out or a stolen token ends."""

import uuid
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.logger import get_logger
from app.db import users
from app.db.engine import Database
from app.domain.accounts import SignedIn, account_number, tokens_of
from app.domain.tokens import Claims, lifetime_of

log = get_logger(__name__)


class SessionEndedError(Exception):
    """The session of a genuine token is over. `reason` is `revoked`, or `reused` when the token had been exchanged already."""

    def __init__(self, user_id: str, reason: str) -> None:
        super().__init__("The session has ended")
        self.user_id: Final = user_id
        self.reason: Final = reason


async def refresh(settings: Settings, database: Database, claims: Claims) -> SignedIn:
    """Exchange a refresh token for new tokens. Raises SessionEndedError.

    A refresh token is good once. When one comes a second time, the owner or a
    thief has the newer one: nobody knows which, so the session ends.
    """
    token_id, now = uuid.uuid4().hex, datetime.now(UTC)
    async with database.session() as session:
        expires_at = now + lifetime_of(settings, "refresh")
        rotated = await users.rotate(session, claims.session, claims.token_id, token_id, expires_at)
        user = await users.find(session, int(claims.user_id)) if rotated else None
        reused = not rotated and await _is_open(session, claims)
        if reused:
            await users.end_sessions(session, int(claims.user_id), now, only=claims.session)
    if user is None:
        raise SessionEndedError(claims.user_id, "reused" if reused else "revoked")
    log.info("Session refreshed", event="token.refreshed", user_id=claims.user_id)
    return tokens_of(settings, claims.user_id, user.role, claims.session, token_id)


async def end(database: Database, claims: Claims) -> None:
    """End the session of a token: its refresh token is good no more. Ending it twice is no error."""
    number = account_number(claims.user_id)
    if number is None:
        return
    async with database.session() as session:
        await users.end_sessions(session, number, datetime.now(UTC), only=claims.session)
    log.info("Signed out", event="session.ended")


async def require_open(database: Database, claims: Claims) -> None:
    """Raises SessionEndedError when the session of an access token is over, which the token itself doesn't show."""
    async with database.session() as session:
        is_open = await _is_open(session, claims)
    if not is_open:
        raise SessionEndedError(claims.user_id, "revoked")


async def _is_open(session: AsyncSession, claims: Claims) -> bool:
    found = await users.find_session(session, claims.session)
    return found is not None and found.ended_at is None and str(found.user_id) == claims.user_id
