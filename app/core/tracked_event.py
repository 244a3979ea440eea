"""Makes an event fit to be stored: declared properties only, nothing personal, a pseudonym for the user, one line of JSON.

The list of declared properties does most of the work: an e-mail address under a
key of its own is undeclared, and goes. What hides in a declared property is found by
its shape. A first name that looks like a model's name can't be recognised.
"""

import datetime as dt
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.core.masking import mask_text
from app.core.pseudonyms import Pseudonyms
from app.core.telemetry.tracked import PROPERTIES, TRACKED, PropertyType

LONGEST_WORD: Final = 64
LARGEST_NUMBER: Final = 1_000_000_000

_WORD: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/-]{{0,{LONGEST_WORD - 1}}}")
_MANY_DIGITS: Final = re.compile(r"(?:\d[./:-]?){9}")
"""A telephone number has nine digits or more, however they are set. Ids may have as many, in one run."""

_GROUPED_DIGITS: Final = re.compile(r"\d[\d./:-]*[./:-]\d[\d./:-]*")

_CORRELATION: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class TrackedEvent:
    """An event as every store has it. Nothing in it names a person."""

    id: str
    event_type: str
    time: dt.datetime
    source: str
    user_ref: str | None
    key_id: str | None
    request_id: str | None
    properties: dict[str, Any]
    line: bytes
    """The same as JSON with its newline, for the spool."""

    @property
    def is_critical(self) -> bool:
        """Whether it is kept when others are dropped."""
        return TRACKED[self.event_type].priority == "critical"


class EventMaker:
    """Makes events of one service."""

    def __init__(self, service: str, pseudonyms: Pseudonyms, max_bytes: int) -> None:
        self._service = service
        self._pseudonyms = pseudonyms
        self._max_bytes = max_bytes

    def make(
        self,
        ident: str,
        user_id: object,
        event_type: str,
        properties: Mapping[str, Any],
        *,
        time: dt.datetime,
        source: str,
        request_id: str | None,
    ) -> tuple[TrackedEvent, Counter[str]]:
        """The event, and how many properties were taken out by reason. `event_type` must be a declared one."""
        kept, removed = clean_properties(event_type, properties)
        pseudonym = self._pseudonyms.of(user_id)
        user_ref, key_id = (pseudonym.user_ref, pseudonym.key_id) if pseudonym else (None, None)
        request_id = request_id if request_id and is_correlation_id(request_id) else None
        head = {
            "timestamp": time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "id": ident,
            "event_type": event_type,
            "priority": TRACKED[event_type].priority,
            "source": source,
            "service_name": self._service,
            "user_ref": user_ref,
            "key_id": key_id,
            "request_id": request_id,
        }
        line = _line(head, kept)
        while len(line) > self._max_bytes and kept:
            kept.popitem()
            removed["size"] += 1
            line = _line(head, kept)
        return TrackedEvent(ident, event_type, time, source, user_ref, key_id, request_id, kept, line), removed


def clean_properties(event_type: str, properties: Mapping[str, Any]) -> tuple[dict[str, Any], Counter[str]]:
    """What may be stored of the properties of a declared event, and how many may not, by reason."""
    kept: dict[str, Any] = {}
    removed: Counter[str] = Counter()
    declared = TRACKED[event_type].properties
    for name in declared:
        value = properties.get(name)
        if value is None:
            continue
        clean, reason = clean_value(PROPERTIES[name][0], value)
        if reason:
            removed[reason] += 1
        else:
            kept[name] = clean
    undeclared = sum(name not in declared for name in properties)
    if undeclared:
        removed["undeclared"] += undeclared
    return kept, removed


def clean_value(kind: PropertyType, value: Any) -> tuple[Any, str]:
    """The value as it is stored and no reason, or nothing and the reason why it is not."""
    if kind in ("id", "word"):
        return _clean_text(kind, value)
    if kind == "boolean":
        return (value, "") if isinstance(value, bool) else (None, "wrong_type")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind == "integer" and not isinstance(value, int)):
        return None, "wrong_type"
    if not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
        return None, "wrong_type"
    return value, ""


def is_correlation_id(text: str) -> bool:
    """Whether it has the form of a request id, and is no address in that form."""
    return _CORRELATION.fullmatch(text) is not None and not _is_address(text) and mask_text(text) == text


def _clean_text(kind: PropertyType, value: Any) -> tuple[Any, str]:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None, "wrong_type"
    text = value[: 4 * LONGEST_WORD]
    if mask_text(text) != text or _is_address(text) or _is_telephone(kind, text):
        return None, "personal"
    return (value, "") if _WORD.fullmatch(value) else (None, "wrong_type")


def _is_telephone(kind: PropertyType, text: str) -> bool:
    return _MANY_DIGITS.search(text) is not None and (kind == "word" or _GROUPED_DIGITS.fullmatch(text) is not None)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _line(head: dict[str, Any], properties: dict[str, Any]) -> bytes:
    return orjson.dumps({**head, "properties": properties}, option=orjson.OPT_APPEND_NEWLINE)
