"""The quick way from a log call to its line: for the usual record, which is nearly every record.

`app.core.records` makes a dict of a record and encodes it; that is what a record *is*. `quick_line` gives the same bytes
for about half of the time, or None where it would have to look closer, and then the caller goes the other way. It is
quicker because it does nothing twice:

- what a logger, a message and a context say in each of their records is encoded once and kept as bytes;
- what is to be done with the fields of a call is worked out when their names and types are met first (`_Shapes`);
- only the fields of this one call are encoded in it.

A usual record has plain values of the right types only, none that must be hidden, and names each field once.
"""

from collections.abc import Mapping
from itertools import compress
from typing import Any, Final, NamedTuple, TypeVar

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
_PLAIN: Final[frozenset[type]] = frozenset({str, int, float, bool, type(None)})

_K = TypeVar("_K")
_V = TypeVar("_V")


class _Shape(NamedTuple):
    """What is to be done with fields of certain names and types. Places count from 0 in the caller's order."""

    texts: tuple[int, ...]
    """Places of values to be masked."""
    numbers: tuple[int, ...]
    """Places of values that may be too large."""
    event: int
    """Place of the event's name; -1 when there is none."""
    declared: tuple[str, ...]
    is_declared: tuple[bool, ...]
    """For each place, whether its value belongs to one of the names in `declared`, in that order."""
    extra: tuple[str, ...]
    is_extra: tuple[bool, ...]
    names: frozenset[str]
    """The declared names, which a context must not have as well."""


_ShapeKey = tuple[tuple[str, ...], tuple[type, ...]]


class _Shapes(dict[_ShapeKey, _Shape | None]):
    """By the names and types of the fields of a call; None where they are not usual. Most calls of a place in the code are alike."""

    def __missing__(self, key: _ShapeKey) -> _Shape | None:
        made = _shape(*key)
        return _keep(self, key, made) if all(type(name) is str for name in key[0]) else None  # 1 and True are equal, their names not


def _shape(keys: tuple[str, ...], types: tuple[type, ...]) -> _Shape | None:
    targets = [_target(key, kind) for key, kind in zip(keys, types, strict=True)]
    if None in targets:
        return None
    found = [target for target in targets if target is not None]
    declared = [name for name, is_declared in found if is_declared and name]
    extra = [name for name, is_declared in found if not is_declared]
    if len({*declared}) < len(declared) or len({*extra}) < len(extra):
        return None
    return _Shape(
        texts=tuple(place for place, kind in enumerate(types) if kind is str),
        numbers=tuple(place for place, kind in enumerate(types) if kind is int or kind is float),
        event=next((place for place, target in enumerate(found) if target == ("event", True)), -1),
        declared=tuple(name for name in declared if name != "event"),
        is_declared=tuple(is_declared and name not in ("", "event") for name, is_declared in found),
        extra=tuple(extra),
        is_extra=tuple(not is_declared for _, is_declared in found),
        names=frozenset(declared),
    )


def _target(key: str, kind: type) -> tuple[str, bool] | None:
    """Name in the record and whether it is declared; no name for what is left out; None when a value of this type is not usual."""
    target, types = TYPES_OF_FIELDS.get(key, ("", ()))
    if target:
        usual = target != "client_ip" and kind in _PLAIN and (kind in types or kind is type(None))
        return (("" if kind is type(None) else target), True) if usual else None
    name = clean(printable(key))
    odd = not name or "\0" in name or is_sensitive_key(printable(key))
    return (name, False) if kind in _PLAIN and not odd else None


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


_shapes: Final = _Shapes()
_heads: Final = _Heads()
_texts: Final = _Texts()


def quick_line(service: str, level: int, logger: str, message: str, fields: Mapping[str, Any], longest: int) -> bytes | None:
    """The line of a record of at most `longest` bytes; None when the record is not a usual one."""
    known = context.current()
    values = list(fields.values())
    shape = _shapes[tuple(fields), tuple(map(type, values))]
    if shape is None or not shape.names.isdisjoint(known):
        return None
    for place in shape.texts:
        values[place] = clean(values[place])
    for place in shape.numbers:
        if not _SMALLEST <= values[place] <= _LARGEST:
            return None
    try:
        line = b"".join(
            (
                _BEGIN,
                timestamp().encode("ascii"),
                _heads[service, level, logger],
                _texts[values[shape.event] if shape.event >= 0 else None, message],
                known.line or _encoded(known),
                _rest(shape, values),
            )
        )
    except (TypeError, ValueError, RecursionError):
        return None  # half a surrogate, or a context value that is no JSON
    return line if len(line) <= longest else None


def _rest(shape: _Shape, values: list[Any]) -> bytes:
    """The call's own fields, and the end of the line."""
    fields: dict[str, Any] = dict(zip(shape.declared, compress(values, shape.is_declared), strict=True))
    if shape.extra:
        fields["extra"] = dict(zip(shape.extra, compress(values, shape.is_extra), strict=True))
    return b"," + orjson.dumps(fields, option=_OPTIONS)[1:] if fields else _END


def _encoded(known: context.Fields) -> bytes:
    """The context's part of a line, kept with the context. Raises TypeError where that has a field that is not its to have."""
    if not known:
        return b""
    if not _FIXED.isdisjoint(known):
        raise TypeError("a context that overrides fixed fields")
    known.line = b"," + orjson.dumps(known, default=printable)[1:-1]
    return known.line
