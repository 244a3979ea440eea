"""What is known about the request, run or session that is being worked on.

One context variable holds one immutable-by-convention dict of log fields.
`bind` replaces the dict instead of changing it, so that tasks which were
started earlier keep what they began with. Imports nothing of ours.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Final


class Fields(dict[str, Any]):
    """The fields of a context."""

    line: bytes = b""
    """What they look like in a record; worked out by the first that is written."""


_fields: Final[ContextVar[Fields]] = ContextVar("nobet_context", default=Fields())  # noqa: B039 (by convention nobody changes one)

current = _fields.get
"""The fields of the present context. Don't change the dict: use `bind`."""


def bind(**fields: Any) -> None:
    """Add fields to every later record of this context."""
    _fields.set(Fields(_fields.get(), **fields))


def replace(fields: dict[str, Any]) -> Token[Fields]:
    """Forget everything and start with `fields`. Give the token to `restore` at the end."""
    return _fields.set(fields if type(fields) is Fields else Fields(fields))


def restore(token: Token[Fields]) -> None:
    """Go back to what was before `replace`."""
    _fields.reset(token)


def request_id() -> str | None:
    """The id of the request or run, if one is under way."""
    found = _fields.get().get("request_id")
    return found if isinstance(found, str) else None


_random: Final = random.Random()  # noqa: S311 (ids, not secrets)
os.register_at_fork(after_in_child=_random.seed)
_FREE_BITS: Final = (1 << 128) - 1 - (0xF << 76) - (0x3 << 62)
_VERSION_4: Final = (0x4 << 76) + (0x2 << 62)

random_bits: Final = _random.getrandbits
"""As many random bits as are asked for, seeded by the system once a process: for ids, which must differ but are no secrets."""


def new_id() -> str:
    """A fresh id: UUID version 4."""
    digits = f"{random_bits(128) & _FREE_BITS | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@contextmanager
def run(component: str, **fields: Any) -> Iterator[str]:
    """A run of a background job: nothing inherited, an id of its own, which is given back."""
    ident = new_id()
    token = replace({"request_id": ident, "component": component, **fields})
    try:
        yield ident
    finally:
        restore(token)
