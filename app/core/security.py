"""Who may see what: bearer tokens, the key that signs them, and addresses in the one record that may have them."""

import hashlib
import hmac
import os
import secrets
from typing import Final

from pydantic import SecretStr

from app.core.config import ConfigError, Settings
from app.core.masking import truncate_address

_SCHEME: Final = "bearer "


def bearer_matches(header: str | None, token: SecretStr) -> bool:
    """Whether an Authorization header carries this token. An empty token matches nothing. Takes the same time for every guess."""
    expected = token.get_secret_value()
    if not header or not expected or header[: len(_SCHEME)].lower() != _SCHEME:
        return False
    return hmac.compare_digest(header[len(_SCHEME) :].strip().encode(), expected.encode())


def signing_secret(settings: Settings) -> str:
    """The key of JWT_SECRET. In a trial without one, a random key that all workers of this start share.

    It goes to the workers through the environment, so whoever starts them asks first (`app.core.serve`).
    Raises ConfigError when there is none outside development and test.
    """
    chosen = settings.jwt_secret.get_secret_value()
    if chosen:
        return chosen
    if not settings.is_trial:
        raise ConfigError("JWT_SECRET is empty: outside development tokens need a key. Set a random value of 32 or more characters.")
    return os.environ.setdefault(_TRIAL_KEY, secrets.token_urlsafe(32))


_TRIAL_KEY: Final = "NOBET_TRIAL_SIGNING_KEY"


def address_for_login(address: str, settings: Settings) -> str | None:
    """A client's address in the form that LOG_IP_MODE allows in the login event; None when it allows none.

    The hash is keyed with the metrics token, so that nobody without it can try all addresses.
    """
    if settings.log_ip_mode == "full":
        return address
    if settings.log_ip_mode == "truncated":
        return truncate_address(address) or None
    if settings.log_ip_mode == "hashed":
        return hmac.new(settings.metrics_token.get_secret_value().encode(), address.encode(), hashlib.sha256).hexdigest()[:16]
    return None
