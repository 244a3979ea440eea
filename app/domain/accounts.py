"""Accounts: registering, signing in, renewing a password, the profile. Passwords, names and e-mail addresses are never logged."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.core.config import Settings
from app.core.logger import get_logger
from app.db import users
from app.db.engine import Database
from app.db.models import User
from app.domain.passwords import hash_password, is_outdated, matches
from app.domain.tokens import issue, lifetime_of

log = get_logger(__name__)


class NameTakenError(Exception):
    """Somebody has that user name already."""


class WrongPasswordError(Exception):
    """No account with this name and this password. `user_id` is for the log only: the answer must not tell which of the two is wrong."""

    def __init__(self, user_id: str | None) -> None:
        super().__init__("Wrong user name or password")
        self.user_id: Final = user_id


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The tokens of a login."""

    user_id: str
    access_token: str
    refresh_token: str
    expires_in: int
    """Seconds for which the access token is good."""


async def register(database: Database, username: str, password: str, display_name: str, email: str | None) -> str:
    """Make an account and give back its id. Raises NameTakenError."""
    hashed = await hash_password(password)
    async with database.session() as session:
        user_id = await users.add(session, username, hashed, display_name, email)
    if user_id is None:
        raise NameTakenError
    log.info("Account made", event="user_registered", user_id=str(user_id))
    return str(user_id)


async def sign_in(settings: Settings, database: Database, username: str, password: str) -> SignedIn:
    """Open a session for who knows the password. Raises WrongPasswordError, which takes as long for a name that nobody has."""
    async with database.session() as session:
        user = await users.find_by_name(session, username)
    # No connection is held while a password is checked: there are fewer of them than people who sign in.
    if not await matches(password, user.password_hash if user else None) or user is None:
        raise WrongPasswordError(str(user.id) if user else None)
    renewed = await hash_password(password) if is_outdated(user.password_hash) else None
    return await _open_session(settings, database, user, renewed)


async def change_password(database: Database, user_id: str, session_id: str, old: str, new: str) -> None:
    """Renew a password and end the user's other sessions. Raises WrongPasswordError when `old` isn't the present one."""
    user = await read_profile(database, user_id)
    if not await matches(old, user.password_hash if user else None):
        raise WrongPasswordError(user_id)
    hashed = await hash_password(new)
    async with database.session() as session:
        present = await users.find(session, int(user_id))
        if present is not None:
            present.password_hash = hashed
        await users.end_sessions(session, int(user_id), datetime.now(UTC), but=session_id)
    log.info("Password changed; other sessions ended", event="password.changed", user_id=user_id)


async def close_account(database: Database, user_id: str, password: str) -> None:
    """Delete an account with all its sessions. Raises WrongPasswordError. What else the user has left is for `nobet erase-user`."""
    user = await read_profile(database, user_id)
    if not await matches(password, user.password_hash if user else None):
        raise WrongPasswordError(user_id)
    async with database.session() as session:
        await users.remove(session, int(user_id))
    log.info("Account closed", event="account.closed", user_id=user_id)


async def read_profile(database: Database, user_id: str) -> User | None:
    """The account of a user, or None when it is gone."""
    number = account_number(user_id)
    if number is None:
        return None
    async with database.session() as session:
        return await users.find(session, number)


async def update_profile(database: Database, user_id: str, display_name: str, email: str | None) -> User | None:
    """Replace what users say about themselves. None when the account is gone."""
    number = account_number(user_id)
    async with database.session() as session:
        user = await users.find(session, number) if number is not None else None
        if user is not None:
            user.display_name, user.email = display_name, email
    if user is not None:
        log.info("Profile updated", event="profile.updated")
    return user


async def _open_session(settings: Settings, database: Database, user: User, renewed_hash: str | None) -> SignedIn:
    session_id, token_id, now = uuid.uuid4().hex, uuid.uuid4().hex, datetime.now(UTC)
    async with database.session() as session:
        await users.open_session(session, session_id, user.id, token_id, now + lifetime_of(settings, "refresh"), now)
        if renewed_hash is not None:
            present = await users.find(session, user.id)
            if present is not None:
                present.password_hash = renewed_hash
    return tokens_of(settings, str(user.id), user.role, session_id, token_id)


def tokens_of(settings: Settings, user_id: str, role: str, session_id: str, token_id: str) -> SignedIn:
    """An access token and the refresh token `token_id` of a session."""
    access = issue(settings, user_id, role, session=session_id)
    refresh = issue(settings, user_id, role, "refresh", session=session_id, token_id=token_id)
    return SignedIn(user_id, access, refresh, int(lifetime_of(settings, "access").total_seconds()))


def account_number(user_id: str) -> int | None:
    """The number that one of our user ids is; a token of another issuer may name somebody who has no account here."""
    return int(user_id) if user_id.isascii() and user_id.isdigit() and len(user_id) < 19 else None
