"""What endpoints ask for, as annotated aliases. Made once per process in `app.main`, kept on `app.state`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from app.api import records
from app.api.auth_failures import TokenFailure, TokenMissingError, report_token_failure
from app.clients.cache import FeedCache
from app.clients.calls import CallStages
from app.clients.limits import RateLimiter
from app.clients.redis import RedisClient
from app.clients.voice import VoiceClient
from app.core import context, error_tracking
from app.core.config import Settings
from app.db.engine import Database
from app.domain.chat import Chat
from app.domain.login_limit import LoginLimit
from app.domain.tokens import Claims, TokenExpiredError, TokenInvalidError, verify


@dataclass(frozen=True, slots=True)
class Resources:
    """The long-lived things of one process."""

    settings: Settings
    database: Database
    redis: RedisClient | None
    voice: VoiceClient
    calls: CallStages
    cache: FeedCache
    limiter: RateLimiter
    events_limiter: RateLimiter
    logins: LoginLimit
    chat: Chat

    async def close(self) -> None:
        """Close what is open."""
        await self.voice.close()
        await self.calls.close()
        if self.redis is not None:
            await self.redis.close()
        await self.database.close()


# Dependencies are coroutines, because FastAPI runs plain functions in threads.
async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def _database(resources: ResourcesDep) -> Database:
    return resources.database


async def _settings(resources: ResourcesDep) -> Settings:
    return resources.settings


async def _calls(resources: ResourcesDep) -> CallStages:
    return resources.calls


async def _voice(resources: ResourcesDep) -> VoiceClient:
    return resources.voice


async def _cache(resources: ResourcesDep) -> FeedCache:
    return resources.cache


async def _logins(resources: ResourcesDep) -> LoginLimit:
    return resources.logins


DatabaseDep = Annotated[Database, Depends(_database)]
CacheDep = Annotated[FeedCache, Depends(_cache)]
LoginLimitDep = Annotated[LoginLimit, Depends(_logins)]
SettingsDep = Annotated[Settings, Depends(_settings)]
VoiceDep = Annotated[VoiceClient, Depends(_voice)]
CallsDep = Annotated[CallStages, Depends(_calls)]


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The access token that `POST /auth/login` gave.")
"""For the documentation and its `Authorize` button; what is accepted is decided below."""


async def _claims_or_none(request: Request, settings: SettingsDep, _documented: Annotated[object, Security(_bearer)]) -> Claims | None:
    """Who asks, or None without an Authorization header. A header that is wrong is refused, not ignored."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise TokenInvalidError("scheme")
        claims = verify(settings, token.strip())
    except (TokenExpiredError, TokenInvalidError) as error:
        raise _refused(request, error) from None
    context.bind(user_id=claims.user_id)
    records.token_accepted()
    error_tracking.set_tag("user_role", claims.role)
    return claims


def _refused(request: Request, error: TokenFailure) -> Exception:
    return report_token_failure(error, f"{request.method} {request.scope['route'].path}")


OptionalUserDep = Annotated[Claims | None, Depends(_claims_or_none)]
"""Who asks; None when they don't say. A token that is expired or wrong is answered with 401 all the same."""


async def _claims(request: Request, claims: OptionalUserDep) -> Claims:
    if claims is None:
        raise _refused(request, TokenMissingError())
    return claims


CurrentUserDep = Annotated[Claims, Depends(_claims)]
"""Who asks. Answered with 401 without a valid token: add NEEDS_TOKEN to the endpoint's `responses`."""
