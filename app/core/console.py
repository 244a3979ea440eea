"""Log lines for people: time, level, [id], logger, message and what else is known. For development."""

import re
import sys
from collections.abc import Callable
from typing import Final

import orjson

from app.core import context

NO_REQUEST: Final = "-"
"""Stands for the id outside of requests, so that a format never lacks it."""

_COLOURS: Final = {"DEBUG": "\x1b[2m", "INFO": "\x1b[36m", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}
_RESET: Final = "\x1b[0m"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SHOWN: Final = frozenset({"timestamp", "level", "log_level", "service_name", "logger", "message", "request_id", "traceback", "event"})


def short_id(length: int) -> str:
    """The present request's id, cut to `length` characters (0: whole), or `-`."""
    ident = context.request_id() or NO_REQUEST
    return ident[:length] if length else ident


def formatter(id_length: int) -> Callable[[bytes], bytes]:
    """A function that turns a record's line of JSON into a readable line; coloured on a terminal only."""
    coloured = sys.stdout.isatty()

    def to_line(line: bytes) -> bytes:
        record = orjson.loads(line)
        ident = str(record.get("request_id") or NO_REQUEST)
        level = str(record["level"])
        name = f"{_COLOURS.get(level, '')}{level:<8}{_RESET}" if coloured else f"{level:<8}"
        rest = " ".join(f"{key}={inert(value)}" for key, value in record.items() if key not in _SHOWN)
        shown = ident[:id_length] if id_length else ident
        head = f"{record['timestamp'][11:23]} {name} [{shown}] {record['logger']} {inert(record['message'])}"
        text = f"{head}  {rest}" if rest else head
        stack = record.get("traceback")
        if stack:
            text += "\n" + "\n".join(inert(line) for line in str(stack).splitlines())
        return text.encode("utf-8", "replace") + b"\n"

    return to_line


def inert(value: object) -> str:
    """Without control characters and marks that turn the direction of writing: what a client sends must not move the cursor
    of whoever reads, nor show something else than it is.
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", str(value))
