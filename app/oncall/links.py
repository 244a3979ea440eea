"""Addresses in messages. The acknowledge link carries a signature: who has the message may answer it, nobody can make one up."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

_SIGNATURE_BYTES: Final = 18
"""144 bits; 24 characters."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid link allows: this person acknowledges this incident in this episode."""

    incident_id: str
    episode: int
    who: str


class Links:
    """Makes and checks addresses below ONCALL_PUBLIC_URL."""

    def __init__(self, public_url: str, key: SecretStr) -> None:
        self.home: Final = public_url.rstrip("/") + "/"
        self._key: Final = key.get_secret_value().encode()

    def incident(self, ident: str) -> str:
        """The page of an incident."""
        return f"{self.home}incidents/{quote(ident)}"

    def acknowledge(self, ident: str, episode: int, who: str) -> str:
        """The link that acknowledges. The token is a query parameter, which our request records leave out."""
        body = f"{ident}.{episode}.{_encode(who.encode())}"
        return f"{self.home}acknowledge?token={body}.{self._sign(body)}"

    def check(self, token: str) -> Grant | None:
        """What the token allows, or None when it was not made here."""
        body, _, signature = token.rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        ident, episode, who = body.split(".")
        return Grant(ident, int(episode), _decode(who).decode())

    def _sign(self, body: str) -> str:
        made = hmac.new(self._key, b"acknowledge\0" + body.encode(), hashlib.sha256).digest()
        return _encode(made[:_SIGNATURE_BYTES])


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
