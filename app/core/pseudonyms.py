"""Stands for users without naming them: a keyed hash, and the id of its key.

Without the key nobody can find out whose pseudonym it is, not even by trying all
user ids. With it, a user's data can be found and removed. A key is changed by
setting a new ANALYTICS_KEY and moving the old one to ANALYTICS_OLD_KEYS: new
events get new pseudonyms, and old ones are still found.
"""

import hashlib
import hmac
from dataclasses import dataclass

from app.core.config import Settings

_REF_DIGITS = 32
"""Hexadecimal digits: 128 bits, too many for two users to meet."""

_KEY_ID_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """What is stored in the place of a user id."""

    user_ref: str
    key_id: str


class Pseudonyms:
    """The pseudonyms under the keys of the settings. Without a key users have none, and events stand alone."""

    def __init__(self, settings: Settings) -> None:
        current = settings.analytics_key.get_secret_value()
        old = settings.analytics_old_keys.get_secret_value().split(",")
        self._keys = [_Key(key.strip().encode()) for key in (current, *old) if key.strip()]
        self._has_current = bool(current)

    def of(self, user_id: object) -> Pseudonym | None:
        """The pseudonym for new events; None without a user or without a key."""
        if user_id is None or user_id == "" or not self._has_current:
            return None
        return self._keys[0].pseudonym(str(user_id))

    def all_of(self, user_id: object) -> list[Pseudonym]:
        """The pseudonyms under every known key, the current one first: all that may stand in a store."""
        return [key.pseudonym(str(user_id)) for key in self._keys]


class _Key:
    """A key, and the id by which it is told from others."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._id = _digest(key, "key id")[:_KEY_ID_DIGITS]

    def pseudonym(self, user_id: str) -> Pseudonym:
        return Pseudonym(_digest(self._key, f"user:{user_id}")[:_REF_DIGITS], self._id)


def _digest(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
