"""Makes one log record: a dict in the declared order, and its line of bytes.

Whatever a caller passes, the outcome is one valid JSON line, masked, no longer
than the limit; nothing here raises. The usual record takes the short way; the
odd one (values that JSON can't hold, too long, raising in `__str__`) is made
plain first.
"""

import math
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from app.core import context
from app.core.masking import MASK, clean, is_sensitive_key, mask_text, mask_value, truncate_address
from app.core.telemetry.fields import FIELDS, PYTHON_TYPES, RENAMED

LEVEL_NAMES: Final[dict[int, tuple[str, str]]] = {
    10: ("DEBUG", "debug"),
    20: ("INFO", "info"),
    30: ("WARNING", "warning"),
    40: ("ERROR", "error"),
    50: ("CRITICAL", "critical"),
}

_TYPES: Final = {name: PYTHON_TYPES[field.type] for name, field in FIELDS.items() if not field.reserved}
_TARGETS: Final = {**{name: name for name in _TYPES}, **RENAMED}
TYPES_OF_FIELDS: Final = {key: (target, _TYPES[target]) for key, target in _TARGETS.items()}
"""By the name that a caller may use for a declared field: its name in the record, and the types of its values."""

_EVENT_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[._][a-z0-9]+)+")
LONGEST_EVENT_NAME: Final = 64
_LONGEST_KEY: Final = 200
_LONGEST_WHEN_CUT: Final = 1000
_LARGEST_INT: Final = 2**63
_OPTIONS: Final = orjson.OPT_APPEND_NEWLINE

_second = ""
_prefix = ""


def timestamp() -> str:
    """Now, in UTC, as ISO 8601 with microseconds; always 27 characters."""
    global _second, _prefix
    digits = str(time.time_ns())  # ten of seconds (until 2286), nine of nanoseconds
    second = digits[:-9]
    if second != _second:
        _prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(int(second)))
        _second = second
    return f"{_prefix}{digits[-9:-3]}Z"


def level_names(level: int) -> tuple[str, str]:
    """The name of the standard level at or below a number, in upper and lower case."""
    return LEVEL_NAMES.get(level) or LEVEL_NAMES[min(50, max(10, level // 10 * 10))]


def build(service: str, level: int, logger: str, message: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The record as a dict: fixed fields, context, declared fields, and the rest under `extra`; masked."""
    upper, lower = LEVEL_NAMES.get(level) or level_names(level)
    record: dict[str, Any] = {"timestamp": timestamp(), "level": upper, "log_level": lower, "service_name": service, "logger": logger}
    event = fields.get("event") if fields else None
    if event is None and " " not in message and is_event_name(message):
        event = message
    if type(event) is str:
        record["event"] = clean(event)
    record["message"] = clean(message)
    record.update(context.current())
    if fields:
        _add_fields(record, fields)
    return record


@lru_cache(maxsize=1024)
def is_event_name(text: str) -> bool:
    """Whether a message is a machine name such as `post.created` rather than a sentence."""
    return len(text) <= LONGEST_EVENT_NAME and _EVENT_NAME.fullmatch(text) is not None


def _add_fields(record: dict[str, Any], fields: Mapping[str, Any]) -> None:
    extra: dict[str, Any] = {}
    for key, value in fields.items():
        kind = type(value)
        target = _TARGETS.get(key)
        if target is not None:
            if target == "client_ip":
                _add_address(record, value)
                continue
            if kind in _TYPES[target] and (kind is not int or -_LARGEST_INT <= value < _LARGEST_INT):
                record[target] = clean(value) if kind is str else value
                continue
            if value is None:
                continue
            coerced = _coerce(value, _TYPES[target])
            if coerced is not None:
                record[target] = coerced
                continue
        text = printable(key)
        name = clean(text)
        if kind is str:
            extra[name] = MASK if is_sensitive_key(text) else clean(value)
        elif kind is bool or value is None:
            extra[name] = value
        else:
            extra[name] = MASK if is_sensitive_key(text) else _plain(value)
    if extra:
        record["extra"] = extra


def _add_address(record: dict[str, Any], value: Any) -> None:
    address = _Addresses.present(printable(value))
    if address:
        record["client_ip"] = address


class _Addresses:
    """How client addresses are shown; `present_addresses` sets it."""

    present: Callable[[str], str | None] = staticmethod(truncate_address)


def present_addresses(present: Callable[[str], str | None]) -> None:
    """Show the field client_ip as this function says; nothing of it when that is None. The default is truncated."""
    _Addresses.present = staticmethod(present)


def _coerce(value: Any, types: tuple[type, ...]) -> Any:
    """Subclasses of a declared type (an HTTPStatus for an int) and numbers for a text, made plain; None when it doesn't fit."""
    if isinstance(value, bool):
        return None
    if str in types:
        if isinstance(value, str):
            return clean(str.__str__(value))
        return str(value) if isinstance(value, int) or type(value).__name__ == "UUID" else None
    if isinstance(value, int) and int in types and -_LARGEST_INT <= value < _LARGEST_INT:
        return int(value)
    return None


def _plain(value: Any, depth: int = 6) -> Any:
    """A masked copy that JSON can hold."""
    if isinstance(value, (str, bytes)):
        return mask_value(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return mask_value(int(value)) if abs(value) < _LARGEST_INT else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if depth <= 0:
        return f"<{type(value).__name__} too deep>"
    if isinstance(value, Mapping):
        return {
            clean(printable(key)): MASK if is_sensitive_key(printable(key)) else _plain(item, depth - 1)
            for key, item in list(value.items())
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, depth - 1) for item in list(value)]
    return mask_text(printable(value))


def printable(value: Any) -> str:
    """`str(value)`, or a placeholder when that raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 (a caller's __str__ may raise anything)
        return f"<unprintable {type(value).__name__}>"


def encode(record: dict[str, Any], max_field: int, max_record: int) -> bytes:
    """The record's line, newline included, never longer than `max_record` bytes (at least 2,000)."""
    try:
        line: bytes = orjson.dumps(record, default=printable, option=_OPTIONS)
        if len(line) <= max_field and b"\\u0000" not in line and b'"":' not in line:
            return line
    except (TypeError, ValueError, RecursionError):
        pass
    return _encode_plain(record, max_field, max_record)


def _encode_plain(record: dict[str, Any], max_field: int, max_record: int) -> bytes:
    """The slow way: every value made plain and cut to its limit; then, while it's too long, harder cuts."""
    line = b""
    for limit in (max_field, _LONGEST_WHEN_CUT, _LONGEST_WHEN_CUT // 5):
        line = orjson.dumps({key: _cut(_tidy(value), limit) for key, value in record.items()}, option=_OPTIONS)
        if len(line) <= max_record:
            return line
    size = len(line)
    record = {key: value for key, value in record.items() if key != "extra"}
    record["extra"] = {"cut": f"{size} bytes left out"}
    return orjson.dumps({key: _cut(_tidy(value), _LONGEST_WHEN_CUT // 10) for key, value in record.items()}, option=_OPTIONS)


def _tidy(value: Any) -> Any:
    """Plain JSON types with valid Unicode, and keys that the store takes: no NUL, not empty, not endless."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_tidy_key(printable(key)): _tidy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    return _plain(value)


def _tidy_key(key: str) -> str:
    return key.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")[:_LONGEST_KEY] or "_"


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]}…[{len(value) - limit} characters cut]"
    if isinstance(value, dict):
        return {key: _cut(item, limit) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, limit) for item in value]
    return value
