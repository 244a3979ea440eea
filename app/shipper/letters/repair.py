"""Makes a refused record fit: what the index can't take under its own name goes under `extra`, as the logger would have put it."""

from typing import Any, Final

import orjson

from app.core.telemetry.fields import ALIASES, FIELDS, PYTHON_TYPES

LARGEST_LONG: Final = 2**63

_EXTRA: Final = "extra"


def repaired(raw: str) -> tuple[bytes, tuple[str, ...]]:
    """The line with the fields moved that don't fit, and their names. Raises ValueError when it is no JSON object."""
    record = orjson.loads(raw)
    if not isinstance(record, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 (a line is a value, whatever is in it)
    moved = {name: value for name, value in record.items() if not _fits(name, value)}
    if not moved:
        return raw.encode(), ()
    kept = {name: value for name, value in record.items() if name not in moved}
    present = kept.get(_EXTRA, {})
    kept[_EXTRA] = {**present, **moved}
    return orjson.dumps(kept), tuple(moved)


def _fits(name: str, value: Any) -> bool:
    """Whether the template takes a value under this name. Names that it doesn't know are stored and not indexed, so anything does."""
    if name in ALIASES:
        return False
    field = FIELDS.get(name)
    if field is None or value is None:
        return True
    if isinstance(value, bool):
        return field.type == "boolean"
    if isinstance(value, int) and not -LARGEST_LONG <= value < LARGEST_LONG:
        return False
    return isinstance(value, PYTHON_TYPES[field.type])
