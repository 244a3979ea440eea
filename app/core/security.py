"""Who may see what: bearer tokens for metrics and health details."""

import hmac
from typing import Final

from pydantic import SecretStr

_SCHEME: Final = "bearer "


def bearer_matches(header: str | None, token: SecretStr) -> bool:
    """Whether an Authorization header carries this token. An empty token matches nothing. Takes the same time for every guess."""
    expected = token.get_secret_value()
    if not header or not expected or header[: len(_SCHEME)].lower() != _SCHEME:
        return False
    return hmac.compare_digest(header[len(_SCHEME) :].strip().encode(), expected.encode())
