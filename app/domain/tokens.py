"""Tokens: JSON Web Tokens (RFC 7519), signed with HS256, made and checked here and nowhere else.

To accept those of an identity provider of your own, see docs/auth.md.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import jwt

from app.core.config import Settings
from app.core.security import signing_secret

Kind = Literal["access", "refresh"]

ALGORITHM: Final = "HS256"
"""The only one that is accepted. What a token says about its own algorithm decides nothing."""

LONGEST_TOKEN: Final = 4096
"""Characters; ours have about 400. Longer ones are refused unread."""

_REQUIRED: Final = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "sid", "role", "kind"]
_SUBJECT: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A user id may be logged, so it has the alphabet of one and can't be an e-mail address."""
_LAST_SECOND: Final = 253402300799
"""The end of the year 9999: the last that dates can tell."""

_REASONS: Final[tuple[tuple[type[jwt.InvalidTokenError], str], ...]] = (
    (jwt.InvalidSignatureError, "signature"),
    (jwt.InvalidAlgorithmError, "algorithm"),
    (jwt.ImmatureSignatureError, "not_yet_valid"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.MissingRequiredClaimError, "claims"),
    (jwt.DecodeError, "malformed"),
)
"""The library's exceptions, specific ones first, and the short name under which they are logged."""


class TokenExpiredError(Exception):
    """A genuine token, too old. `user_id` is whose it was: its signature has been checked."""

    def __init__(self, user_id: str) -> None:
        super().__init__("The token has expired")
        self.user_id: Final = user_id


class TokenInvalidError(Exception):
    """Not a token that we made for this purpose. `reason` is a short name and quotes nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The token is not valid: {reason}")
        self.reason: Final = reason


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    user_id: str
    role: str
    session: str
    """The login that it belongs to; ending it ends the refresh tokens of that login."""
    expires_at: float
    """Unix time."""
    token_id: str = ""


def issue(
    settings: Settings,
    user_id: str,
    role: str = "user",
    kind: Kind = "access",
    *,
    session: str | None = None,
    token_id: str | None = None,
    lifetime: timedelta | None = None,
) -> str:
    """A new token. Its lifetime is that of the settings for its kind, unless given; a negative one makes an expired token."""
    now = datetime.now(UTC)
    span = lifetime if lifetime is not None else lifetime_of(settings, kind)
    begin = min(now, now + span)
    claims = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "sub": user_id,
        "role": role,
        "kind": kind,
        "sid": session or uuid.uuid4().hex,
        "jti": token_id or uuid.uuid4().hex,
        "iat": begin,
        "nbf": begin,
        "exp": now + span,
    }
    return jwt.encode(claims, signing_secret(settings), ALGORITHM)


def lifetime_of(settings: Settings, kind: Kind) -> timedelta:
    """How long a token of this kind is valid."""
    if kind == "refresh":
        return timedelta(days=settings.refresh_token_days)
    return timedelta(minutes=settings.access_token_minutes)


def verify(settings: Settings, token: str, kind: Kind = "access") -> Claims:
    """The claims of a token, once its signature, issuer, audience, times and kind have been found right.

    Raises TokenExpiredError for a genuine token that is only too old, TokenInvalidError for any other.
    """
    if len(token) > LONGEST_TOKEN:
        raise TokenInvalidError("too_long")
    try:
        return _read(_decode(settings, token), kind)
    except jwt.ExpiredSignatureError:
        # The library looks at the time before it looks at issuer and audience: those are still to be checked.
        late = _read(_decode(settings, token, verify_exp=False), kind)
        raise TokenExpiredError(late.user_id) from None


def _decode(settings: Settings, token: str, *, verify_exp: bool = True) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            signing_secret(settings),
            algorithms=[ALGORITHM],
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            leeway=settings.jwt_leeway_seconds,
            options={"require": _REQUIRED, "verify_exp": verify_exp},
        )
    except jwt.ExpiredSignatureError:
        raise
    except jwt.InvalidTokenError as error:
        reason = next((name for kind, name in _REASONS if isinstance(error, kind)), "claims")
    except (ValueError, TypeError, RecursionError, OverflowError):
        reason = "malformed"  # what a hostile header makes of the parsers below the library
    raise TokenInvalidError(reason)


def _read(claims: dict[str, Any], kind: Kind) -> Claims:
    if claims["kind"] != kind:
        raise TokenInvalidError("kind")
    texts = [claims[name] for name in ("sub", "role", "sid", "jti")]
    if not all(isinstance(text, str) and _SUBJECT.fullmatch(text) for text in texts):
        raise TokenInvalidError("claims")
    if int(claims["exp"]) > _LAST_SECOND:
        raise TokenInvalidError("claims")
    return Claims(claims["sub"], claims["role"], claims["sid"], float(claims["exp"]), claims["jti"])
