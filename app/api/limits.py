"""The rate limit of the endpoints, as a dependency of their router."""

from fastapi import HTTPException, status
from starlette.requests import HTTPConnection

from app.api.deps import Resources
from app.domain.tokens import TokenExpiredError, TokenInvalidError, verify


async def rate_limit(connection: HTTPConnection) -> None:
    """Answer 429 when the caller has used up its minute; a WebSocket's handshake counts as well.

    Callers are users; without a valid token, addresses.
    """
    resources: Resources = connection.app.state.resources
    if not resources.limiter.limit:
        return
    allowance = await resources.limiter.take(_caller(connection, resources))
    if not allowance.allowed:
        detail = "You are sending too many requests. Wait a moment, then go on more slowly."
        raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, detail, {"Retry-After": str(allowance.retry_after)})


def _caller(connection: HTTPConnection, resources: Resources) -> str:
    """A token counts only when it is genuine: else anybody could be a new caller with each request."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        try:
            return f"user:{verify(resources.settings, token.strip()).user_id}"
        except (TokenExpiredError, TokenInvalidError):
            pass
    return f"address:{connection.client.host if connection.client else ''}"
