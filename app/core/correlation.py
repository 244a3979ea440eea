"""Takes the request id from the headers, or makes one."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.context import new_id
from app.core.masking import is_secret_shaped

LONGEST_ID: Final = 128
VALID_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
"""What may be logged and echoed: no spaces, no line ends, nothing that a viewer would interpret."""

EVENT_HEADER: Final = b"x-event-id"
RESPONSE_HEADER: Final = b"x-request-id"

CALL_HEADER: Final = b"x-call-sid"
VALID_CALL_SID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CALL_PATH: Final = re.compile(rf"/calls/({VALID_CALL_SID.pattern})(?:/|$)")

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class Correlation:
    """The id of a request, and what else the headers said."""

    request_id: str
    client_request_id: str | None = None
    """A second valid id, where the headers disagree."""
    rejected: str | None = None
    """Name of the header whose value was not usable."""
    echo_event_id: bool = False
    made: bool = False
    """Whether the id was made here, because none came from outside."""


class Correlator:
    """Reads the id from the first of its headers that has a usable one."""

    def __init__(self, names: Sequence[str]) -> None:
        self._order = {name.lower().encode("latin-1"): place for place, name in enumerate(names)}

    @property
    def names(self) -> Iterable[bytes]:
        """The headers that it looks at, in lower case."""
        return self._order

    def read(self, headers: Headers) -> Correlation:
        """The correlation of a request. A missing id is made; an unusable one is replaced and named, never echoed."""
        order = self._order
        found = [(order[name], name, value) for name, value in headers if name in order]
        if not found:
            return Correlation(new_id(), made=True)
        return _choose(found)


def call_sid_of(path: str, header: bytes | None) -> str | None:
    """The voice call that a request belongs to: the one below /calls/ in its path, else that of X-Call-SID when it is usable."""
    named = _CALL_PATH.search(path) if "/calls/" in path else None
    if named:
        return named[1]
    given = header.decode("latin-1") if header else ""
    return given if is_valid_call_sid(given) else None


def _choose(found: list[tuple[int, bytes, bytes]]) -> Correlation:
    result = Correlation("")
    values: dict[bytes, set[bytes]] = {}
    for _, name, value in found:
        values.setdefault(name, set()).add(value)
    for _, name, value in sorted(found, key=lambda item: item[0]):
        if name == EVENT_HEADER:
            result.echo_event_id = True
        if not is_valid_id(value.decode("latin-1")) or len(values[name]) > 1:
            result.rejected = result.rejected or name.decode("latin-1")
        elif not result.request_id:
            result.request_id = value.decode("ascii")
        elif value.decode("ascii") != result.request_id and result.client_request_id is None:
            result.client_request_id = value.decode("ascii")
    if not result.request_id:
        result.request_id, result.made = new_id(), True
    return result


def is_valid_id(text: str) -> bool:
    """Whether a text may be used as an id, logged and echoed: it has the alphabet of one, and is no secret in that alphabet."""
    return text.isascii() and VALID_ID.fullmatch(text.encode("ascii")) is not None and not is_secret_shaped(text)


def is_valid_call_sid(text: str) -> bool:
    """The same for the id of a call."""
    return VALID_CALL_SID.fullmatch(text) is not None and not is_secret_shaped(text)


def echo_headers(correlation: Correlation) -> list[tuple[bytes, bytes]]:
    """The headers that tell the client its id."""
    value = correlation.request_id.encode("ascii")
    headers = [(RESPONSE_HEADER, value)]
    if correlation.echo_event_id:
        headers.append((EVENT_HEADER, value))
    return headers
