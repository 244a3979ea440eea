"""Registering, signing in and out, refreshing, renewing a password, closing an account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response, status

from app.api import records
from app.api.auth_bodies import AccountClosing, Credentials, PasswordRenewal, RefreshRequest, Registration, TokensRead
from app.api.auth_failures import report_session_ended, report_token_failure
from app.api.deps import CurrentUserDep, DatabaseDep, LoginLimitDep, SettingsDep
from app.api.errors import NEEDS_TOKEN, ErrorAnswer
from app.api.login_watch import LoginWatch
from app.db.engine import Database
from app.domain import accounts, sessions
from app.domain.accounts import NameTakenError, SignedIn, WrongPasswordError
from app.domain.login_limit import LoginLimit, TooManyFailuresError
from app.domain.sessions import SessionEndedError
from app.domain.tokens import Claims, TokenExpiredError, TokenInvalidError, verify

Responses = dict[int | str, dict[str, Any]]

LIMITED: Final[Responses] = {429: {"model": ErrorAnswer, "description": "Too many failed logins; `Retry-After` says how long to wait."}}
WRONG: Final = "Wrong user name or password."
"""The same for both, so that nobody learns who has an account."""

router = APIRouter(prefix="/auth", tags=["accounts"])


async def _watch(request: Request, settings: SettingsDep) -> LoginWatch:
    return LoginWatch(request, settings)


WatchDep = Annotated[LoginWatch, Depends(_watch)]


@router.post(
    "/register",
    status_code=status.HTTP_201_CREATED,
    responses={409: {"model": ErrorAnswer, "description": "Somebody has that user name already."}},
)
async def register(database: DatabaseDep, wanted: Registration) -> dict[str, str]:
    """Make an account. Sign in next."""
    display_name = wanted.display_name or wanted.username
    try:
        user_id = await accounts.register(database, wanted.username, wanted.password.get_secret_value(), display_name, wanted.email)
    except NameTakenError:
        raise HTTPException(status.HTTP_409_CONFLICT, "Somebody has that user name already. Choose another one.") from None
    return {"user_id": user_id}


@router.post(
    "/login",
    responses={**LIMITED, 401: {"model": ErrorAnswer, "description": "Wrong user name or password."}},
)
async def login(
    settings: SettingsDep, database: DatabaseDep, limit: LoginLimitDep, watch: WatchDep, response: Response, given: Credentials
) -> TokensRead:
    """Open a session."""
    name = given.username.lower()
    try:
        await limit.reserve(name, watch.address)
    except TooManyFailuresError as error:
        watch.over("limited", reason="too_many_failures")
        raise _wait(error) from None
    try:
        signed_in = await accounts.sign_in(settings, database, name, given.password.get_secret_value())
    except WrongPasswordError as error:
        watch.over("failure", error.user_id, "wrong_password" if error.user_id else "unknown_user")
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, WRONG, {"WWW-Authenticate": "Bearer"}) from None
    except Exception:
        await limit.give_back(name, watch.address)  # our trouble, not a guess
        raise
    await limit.give_back(name, watch.address)
    watch.over("success", signed_in.user_id)
    return _tokens(response, signed_in)


@router.post("/refresh", responses=NEEDS_TOKEN)
async def refresh(settings: SettingsDep, database: DatabaseDep, response: Response, given: RefreshRequest) -> TokensRead:
    """Exchange a refresh token for new tokens. Each is good once; a second use ends the session."""
    where = "POST /auth/refresh"
    try:
        claims = verify(settings, given.refresh_token.get_secret_value(), "refresh")
        return _tokens(response, await sessions.refresh(settings, database, claims))
    except (TokenExpiredError, TokenInvalidError) as error:
        raise report_token_failure(error, where) from None
    except SessionEndedError as error:
        raise report_session_ended(error, where) from None


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT, responses=NEEDS_TOKEN)
async def logout(database: DatabaseDep, user: CurrentUserDep) -> None:
    """End this session. Its refresh token is good no more; an access token lives on until it expires."""
    await sessions.end(database, user)


@router.post(
    "/password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**NEEDS_TOKEN, **LIMITED, 403: {"model": ErrorAnswer, "description": "The old password is wrong."}},
)
async def renew_password(
    database: DatabaseDep, limit: LoginLimitDep, watch: WatchDep, user: CurrentUserDep, given: PasswordRenewal
) -> None:
    """Renew the password. All other sessions of the user end."""
    old, new = given.old_password.get_secret_value(), given.new_password.get_secret_value()
    async with _owner_only(database, limit, watch, user, "POST /auth/password"):
        await accounts.change_password(database, user.user_id, user.session, old, new)


@router.post(
    "/close",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**NEEDS_TOKEN, **LIMITED, 403: {"model": ErrorAnswer, "description": "The password is wrong."}},
)
async def close_account(database: DatabaseDep, limit: LoginLimitDep, watch: WatchDep, user: CurrentUserDep, given: AccountClosing) -> None:
    """Delete the account. Posts, logs and events of the user are not in it: `nobet erase-user` is for those."""
    async with _owner_only(database, limit, watch, user, "POST /auth/close"):
        await accounts.close_account(database, user.user_id, given.password.get_secret_value())


@asynccontextmanager
async def _owner_only(database: Database, limit: LoginLimit, watch: LoginWatch, user: Claims, where: str) -> AsyncIterator[None]:
    """What is done with a password on top of the token: a stolen token is not enough, and guessing is as slow as at the login."""
    account = f"id {user.user_id}"
    try:
        await sessions.require_open(database, user)
        await limit.reserve(account, watch.address)
        yield
    except TooManyFailuresError as error:
        raise _wait(error) from None
    except SessionEndedError as error:
        raise report_session_ended(error, where) from None
    except WrongPasswordError:
        records.password_wrong()
        raise HTTPException(status.HTTP_403_FORBIDDEN, "The password is wrong.") from None
    await limit.give_back(account, watch.address)


def _tokens(response: Response, signed_in: SignedIn) -> TokensRead:
    response.headers["Cache-Control"] = "no-store"  # RFC 6749, section 5.1
    return TokensRead(
        user_id=signed_in.user_id,
        access_token=signed_in.access_token,
        refresh_token=signed_in.refresh_token,
        expires_in=signed_in.expires_in,
    )


def _wait(error: TooManyFailuresError) -> HTTPException:
    detail = f"Too many failed logins. Try again in {error.seconds} s."
    return HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, detail, {"Retry-After": str(error.seconds)})
