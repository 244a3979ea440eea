"""The quick way from a log call to its line: for the usual record, which is nearly every record.

`app.core.records` makes a dict of a record and encodes it; that is what a record *is*. `quick_line` gives the same bytes
for about half of the time, or None where it would have to look closer, and then the caller goes the other way. It is
quicker because it does nothing twice:

- what a logger, a message and a context say in each of their records is encoded once and kept as bytes;
- what is to be done with a field is worked out when its name is met first (`_Plans`);
- only the fields of this one call are encoded in it.

A usual record has plain values of the right types only, none that must be hidden, and names each field once.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import orjson

from app.core import context
from app.core.masking import clean, is_sensitive_key
from app.core.records import TYPES_OF_FIELDS, is_event_name, level_names, printable, timestamp

_KEPT: Final = 4096
"""Entries of a cache; a full one is emptied, which costs a little time now and then and never memory without end."""

_KEPT_CHARS: Final = 256
_OPTIONS: Final = orjson.OPT_APPEND_NEWLINE
_LARGEST: Final = 10**12
_SMALLEST: Final = -_LARGEST
"""Beyond these an integer may be the number of a card, and a float infinite or none."""

_BEGIN: Final = b'{"timestamp":"'
_END: Final = b"}\n"
_FIXED: Final = frozenset({"timestamp", "level", "log_level", "service_name", "logger", "event", "message", "extra"})
_NOTHING: Final[frozenset[type]] = frozenset()
_PLAIN: Final[frozenset[type]] = frozenset({str, int, float, bool, type(None)})

_Plan = tuple[str, frozenset[type], bool]
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Plans(dict[str, _Plan]):
    """By the name that a caller gives a field: its name in the record, the types that may go in, whether it is declared."""

    def __missing__(self, key: str) -> _Plan:
        target, types = TYPES_OF_FIELDS.get(key, ("", ()))
        if target:
            plan = (target, _NOTHING if target == "client_ip" else _PLAIN.intersection((*types, type(None))), True)
        else:
            name = clean(printable(key))
            odd = not name or "\0" in name or is_sensitive_key(printable(key))
            plan = (name, _NOTHING if odd else _PLAIN, False)
        return _keep(self, key, plan) if type(key) is str else plan  # 1 and True are equal, their names not


class _Heads(dict[tuple[str, int, str], bytes]):
    """By service, level and logger: what follows the time."""

    def __missing__(self, key: tuple[str, int, str]) -> bytes:
        service, level, logger = key
        upper, lower = level_names(level)
        fields = {"level": upper, "log_level": lower, "service_name": service, "logger": logger}
        return _keep(self, key, b'",' + orjson.dumps(fields)[1:-1])


class _Texts(dict[tuple[str | None, str], bytes]):
    """By event and message: both, masked. A message that looks like the name of an event is one."""

    def __missing__(self, key: tuple[str | None, str]) -> bytes:
        event, message = key
        if event is None and " " not in message and is_event_name(message):
            event = clean(message)
        fields = {"message": clean(message)} if event is None else {"event": event, "message": clean(message)}
        made = b"," + orjson.dumps(fields)[1:-1]
        return _keep(self, key, made) if len(message) <= _KEPT_CHARS else made


def _keep(cache: dict[_K, _V], key: _K, made: _V) -> _V:
    if len(cache) >= _KEPT:
        cache.clear()
    cache[key] = made
    return made


_plans: Final = _Plans()
_heads: Final = _Heads()
_texts: Final = _Texts()


def quick_line(service: str, level: int, logger: str, message: str, fields: Mapping[str, Any], longest: int) -> bytes | None:
    """The line of a record of at most `longest` bytes; None when the record is not a usual one."""
    known = context.current()
    declared: dict[str, Any] = {}
    if fields and not _take(fields, known, declared):
        return None
    event = declared.pop("event", None)
    try:
        line = b"".join(
            (
                _BEGIN,
                timestamp().encode(),
                _heads[service, level, logger],
                _texts[event, message],
                known.line or _encoded(known),
                b"," + orjson.dumps(declared, option=_OPTIONS)[1:] if declared else _END,
            )
        )
    except (TypeError, ValueError, RecursionError):
        return None  # half a surrogate, or a context value that is no JSON
    return line if len(line) <= longest else None


class Repeated:
    """A record that is written again and again, alike but for two numbers, which stand at its end: the end of a request.

    `fields` are those that stay, declared ones, with the event; `names` are those of the numbers.
    """

    __slots__ = ("_begin", "_first", "_names", "_second", "level", "logger", "message", "service")

    def __init__(
        self, service: str, level: int, logger: str, message: str, fields: Mapping[str, str | int], names: tuple[str, str]
    ) -> None:
        self.service = service
        self.level = level
        self.logger = logger
        self.message = message
        declared = {name: clean(value) if isinstance(value, str) else value for name, value in fields.items()}
        event = declared.pop("event", None)
        self._names = frozenset((*declared, *names))
        self._begin = _heads[service, level, logger] + _texts[event if isinstance(event, str) else None, message]
        first, second = (f',"{name}":' for name in names)
        self._first = ("," + orjson.dumps(declared).decode()[1:-1] if declared else "") + first
        self._second = second

    def line(self, first: float, second: int, longest: int) -> bytes | None:
        """Its line now, of at most `longest` bytes; None where that isn't a usual one. The numbers are finite and below 10^12."""
        known = context.current()
        if not self._names.isdisjoint(known):
            return None
        try:
            head, tail = known.line or _encoded(known), f"{self._first}{first!r}{self._second}{second}}}\n"
        except (TypeError, ValueError, RecursionError):
            return None
        line = b"".join((_BEGIN, timestamp().encode(), self._begin, head, tail.encode()))
        return line if len(line) <= longest else None


def _take(fields: Mapping[str, Any], known: Mapping[str, Any], declared: dict[str, Any]) -> bool:
    """Put the caller's fields, masked, into `declared`, with the others under `extra`. False when one is not usual."""
    extra: dict[str, Any] = {}
    for key, value in fields.items():
        name, types, is_declared = _plans[key]
        kind = type(value)
        if kind not in types:
            return False
        if kind is str:
            value = clean(value)
        elif value is None:
            if is_declared:
                continue
        elif kind is not bool and not _SMALLEST <= value <= _LARGEST:
            return False
        if not is_declared:
            extra[name] = value
        elif name in known:
            return False
        else:
            declared[name] = value
    if extra:
        declared["extra"] = extra
    return True


def _encoded(known: context.Fields) -> bytes:
    """The context's part of a line, kept with the context. Raises TypeError where that has a field that is not its to have."""
    if not known:
        return b""
    if not _FIXED.isdisjoint(known):
        raise TypeError("a context that overrides fixed fields")
    known.line = b"," + orjson.dumps(known, default=printable)[1:-1]
    return known.line
