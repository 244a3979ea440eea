"""Tokens: what is accepted, and above all what is not."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.core.config import ConfigError, Settings, load_settings
from app.core.security import signing_secret
from app.domain.tokens import ALGORITHM, LONGEST_TOKEN, Claims, TokenExpiredError, TokenInvalidError, issue, verify

KEY = "a key of the tests, long enough for HS256"
SETTINGS = load_settings(_env_file=None, environment="test", jwt_secret=KEY)


def reason_of(token: str, **options: Any) -> str:
    """Why a token is refused."""
    with pytest.raises(TokenInvalidError) as caught:
        verify(SETTINGS, token, **options)
    return caught.value.reason


def forged(changes: dict[str, Any], key: str = KEY, algorithm: str = ALGORITHM) -> str:
    """A token like ours but for some claims; a claim that is None is left out."""
    claims = jwt.decode(issue(SETTINGS, "7"), options={"verify_signature": False}) | changes
    payload = json.dumps({name: value for name, value in claims.items() if value is not None}, default=datetime.timestamp)
    return jwt.PyJWS().encode(payload.encode(), key, algorithm, headers={"typ": "JWT"})


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """The three parts of a token, put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.req("AUT-01")
def test_what_was_issued_is_read_back() -> None:
    """User, role and session come back; the token ends when the settings say."""
    before = time.time()
    claims = verify(SETTINGS, issue(SETTINGS, "7", "operator", session="s1"))
    assert (claims.user_id, claims.role, claims.session) == ("7", "operator", "s1")
    assert claims.expires_at - before == pytest.approx(SETTINGS.access_token_minutes * 60, abs=60)
    refresh = verify(SETTINGS, issue(SETTINGS, "7", kind="refresh"), "refresh")
    assert refresh.expires_at - before == pytest.approx(SETTINGS.refresh_token_days * 86400, abs=60)


@pytest.mark.req("AUT-02", "AUT-09")
def test_an_expired_token_names_its_user() -> None:
    """Signed by us and too old: the user is known."""
    with pytest.raises(TokenExpiredError) as caught:
        verify(SETTINGS, issue(SETTINGS, "7", lifetime=timedelta(minutes=-1)))
    assert caught.value.user_id == "7"


@pytest.mark.req("AUT-09")
def test_an_expired_token_of_somebody_else_names_nobody() -> None:
    """Too old and not ours is not ours: neither another key nor another issuer, audience or kind gets a user into the log."""
    old = datetime.now(UTC) - timedelta(hours=1)
    assert reason_of(forged({"exp": old}, key="k" * 40)) == "signature"
    assert reason_of(forged({"exp": old, "iss": "evil"})) == "issuer"
    assert reason_of(forged({"exp": old, "aud": "others"})) == "audience"
    assert reason_of(forged({"exp": old, "kind": "refresh"})) == "kind"
    assert reason_of(forged({"exp": old, "sub": "a@example.org"})) == "claims"


def test_clocks_may_differ_a_little() -> None:
    """A token that is over by less than the leeway still counts."""
    generous = SETTINGS.model_copy(update={"jwt_leeway_seconds": 60})
    assert verify(generous, issue(SETTINGS, "7", lifetime=timedelta(seconds=-30))).user_id == "7"
    with pytest.raises(TokenExpiredError):
        verify(SETTINGS, issue(SETTINGS, "7", lifetime=timedelta(seconds=-30)))


@pytest.mark.req("AUT-05")
@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "malformed"),
        ("garbage", "malformed"),
        ("a.b.c", "malformed"),
        (unsigned({"alg": "none"}, {"sub": "7"}), "algorithm"),
        (unsigned({"alg": "None", "typ": "JWT"}, {"sub": "7"}), "algorithm"),
        (unsigned({"alg": ""}, {"sub": "7"}, b"x"), "algorithm"),
        (unsigned({"alg": "RS256"}, {"sub": "7"}, b"x" * 256), "algorithm"),
        (unsigned({"alg": "HS256"}, {"sub": "7"}, b"x" * 32), "signature"),
        (unsigned({"alg": "HS256", "crit": ["b64"], "b64": False}, {"sub": "7"}, b"x" * 32), "malformed"),
        (forged({}, key="another key that is quite long enough"), "signature"),
        (forged({}, algorithm="HS512", key=KEY * 2), "algorithm"),
        (forged({"iss": "somebody"}), "issuer"),
        (forged({"aud": "something"}), "audience"),
        # Made when the tests are gathered, used when it is their turn: that may be an hour later.
        (forged({"nbf": time.time() + 86400}), "not_yet_valid"),
        (forged({"iat": time.time() + 86400}), "not_yet_valid"),
        (forged({"kind": "refresh"}), "kind"),
        (forged({"sub": ["7"]}), "claims"),
        (forged({"sub": ""}), "claims"),
        (forged({"sub": "somebody@example.org"}), "claims"),
        (forged({"sub": "7\n"}), "claims"),
        (forged({"role": {"admin": True}}), "claims"),
        (forged({"exp": "soon"}), "malformed"),
        (forged({"exp": 10**400}), "claims"),
        (forged({"kind": ["access"]}), "kind"),
        *((forged({name: None}), "claims") for name in ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "sid", "role", "kind")),
    ],
)
def test_a_token_that_is_not_right_is_refused_for_what_is_wrong(token: str, reason: str) -> None:
    """Each way of being wrong has a name for the log, and none gets in."""
    assert reason_of(token) == reason


def test_each_kind_is_good_for_its_purpose_only() -> None:
    """A refresh token opens no endpoint, an access token refreshes nothing."""
    assert reason_of(issue(SETTINGS, "7", kind="refresh")) == "kind"
    assert reason_of(issue(SETTINGS, "7"), kind="refresh") == "kind"


def test_a_huge_token_is_not_even_read() -> None:
    """Beyond the bound nothing is parsed; a deeply nested header within it does no harm."""
    assert reason_of("x" * (LONGEST_TOKEN + 1)) == "too_long"
    nested = base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("=")
    assert reason_of(f"{nested}.e30.AA") == "malformed"


@pytest.mark.req("AUT-05")
@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), st.from_regex(r"[\w-]{0,60}\.[\w-]{0,60}\.[\w-]{0,60}"), st.binary(max_size=99).map(bytes.hex)))
def test_no_garbage_gets_in_or_breaks_anything(token: str) -> None:
    """Whatever is sent as a token: refused, by the one exception that the endpoints know."""
    reason_of(token)


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=0, max_value=10_000), st.characters())
def test_a_token_with_one_character_changed_is_another_token(place: int, letter: str) -> None:
    """No letter of a token can be exchanged for another one, but for those that mean the same bits."""
    token = issue(SETTINGS, "7")
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    try:
        found = verify(SETTINGS, changed)
    except TokenInvalidError:
        return
    # Base64 leaves the last bits of a part unused: such a change changes nothing.
    assert isinstance(found, Claims)
    assert found == verify(SETTINGS, token)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["sub", "role", "sid", "jti", "kind", "exp", "nbf", "iat", "iss", "aud"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers(), max_size=3),
        min_size=1,
    )
)
def test_no_claims_break_the_check(changes: dict[str, Any]) -> None:
    """Even with our signature, claims of any type are read or refused, never an unexpected exception."""
    try:
        claims = verify(SETTINGS, forged(changes))
    except (TokenInvalidError, TokenExpiredError):
        return
    assert isinstance(claims.user_id, str)


def test_exceptions_quote_nothing_of_the_token() -> None:
    """Texts of the exceptions are safe to log."""
    token = forged({"iss": "somebody"})
    with pytest.raises(TokenInvalidError) as caught:
        verify(SETTINGS, token)
    assert str(caught.value) == "The token is not valid: issuer"


@pytest.mark.req("CFG-03")
def test_outside_a_trial_a_key_is_needed_and_a_weak_one_refused() -> None:
    """Production starts with a key of 32 characters or more, or not at all; the message never shows the key."""
    strong = {"environment": "production", "metrics_token": "m" * 24, "database_url": "postgresql+asyncpg://u:aaaaaaaaaaaa@h/d"}
    with pytest.raises(ConfigError, match="JWT_SECRET is empty"):
        signing_secret(load_settings(_env_file=None, **strong))
    for weak in ("changeme", "secret", "0123456789abcdef"):
        with pytest.raises(ConfigError, match="JWT_SECRET") as caught:
            load_settings(_env_file=None, **strong, jwt_secret=weak)
        assert weak not in str(caught.value).replace("JWT_SECRET", "")
    assert signing_secret(load_settings(_env_file=None, **strong, jwt_secret=KEY)) == KEY


def test_a_trial_without_a_key_has_one_for_the_whole_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that read the settings on their own accept each other's tokens; the next start has another key."""
    monkeypatch.delenv("NOBET_TRIAL_SIGNING_KEY", raising=False)
    trial: Settings = SETTINGS.model_copy(update={"jwt_secret": SecretStr("")})
    token = issue(trial, "7")
    assert verify(trial.model_copy(), token).user_id == "7"
    monkeypatch.delenv("NOBET_TRIAL_SIGNING_KEY")
    with pytest.raises(TokenInvalidError):
        verify(trial, token)
