"""Other people's loggers: the standard library's and uvicorn's records enter the same pipeline."""

import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from app.core import console
from app.core.config import get_settings
from app.core.masking import mask_text
from app.core.pipeline import PIPELINE, as_text, format_message, merge_json
from app.core.record_errors import resolve_exc_info

_ATTRIBUTES: Final = tuple(logging.LogRecord("", 0, "", 0, "", None, None).__dict__)
"""What each record has, in the order in which it gets them; what a caller adds comes after."""

STANDARD_ATTRIBUTES: Final = frozenset(_ATTRIBUTES) | {"message", "asctime", "taskName", "color_message"}
"""No field of a caller's: what a record has by itself, or is given by formatters and by uvicorn."""


ACCESS: Final = "uvicorn.access"
"""Its records are made from their arguments, by the handler."""


class PipelineHandler(logging.Handler):
    """Takes the records of the standard library, uvicorn's and other libraries' included, into the pipeline."""

    def createLock(self) -> None:  # noqa: N802 (the standard library's name)
        """None: the pipeline may be used by many threads at once."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Straight on to `emit`, where nobody has put a filter."""
        if self.filters:
            return bool(super().handle(record))
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write one standard record."""
        if record.name == ACCESS:
            message, fields = _access(record)
            take(record.levelno, record.name, message, (), fields, record.exc_info)
            return
        args = record.args if isinstance(record.args, tuple) else (record.args,) if record.args else ()
        take(record.levelno, record.name, record.msg, args, _added(record), record.exc_info)


def take(level: int, name: str, msg: object, args: tuple[object, ...] | None, fields: Mapping[str, Any], exc_info: object) -> None:
    """Into the pipeline, with what the standard library's methods are called with."""
    message = as_text(msg)
    if args:
        message = format_message(message, args)
    if message[:1] == "{":
        message, fields = merge_json(message, fields)
    PIPELINE.emit(level, name, message, fields, resolve_exc_info(exc_info) if exc_info else None)


def _added(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that the caller gave in `extra`, or a filter added."""
    attributes = record.__dict__
    if type(record) is not logging.LogRecord:  # another class may set its attributes in any order
        return {key: value for key, value in attributes.items() if key not in STANDARD_ATTRIBUTES}
    if len(attributes) == len(_ATTRIBUTES):
        return {}
    return {key: attributes[key] for key in islice(attributes, len(_ATTRIBUTES), None) if key not in STANDARD_ATTRIBUTES}


def _access(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Uvicorn's access line as fields, without the client's address and the query string."""
    args = record.args
    if not isinstance(args, tuple) or len(args) != 5:
        return mask_text(record.getMessage()), {"event": "http.access"}
    _client, method, target, _version, status = args
    path = str(target).partition("?")[0]
    return f"{method} {path} {status}", {"event": "http.access", "method": str(method), "path": path, "status_code": status}


def is_no_socket_chatter(record: logging.LogRecord) -> bool:
    """False for what uvicorn says about each WebSocket: our own records say it without address and query string."""
    return not isinstance(record.msg, str) or ('"WebSocket %s"' not in record.msg and record.msg not in _SOCKET_CHATTER)


_SOCKET_CHATTER: Final = frozenset({"connection open", "connection closed", "connection rejected (%d %s)"})


class CorrelationFilter(logging.Filter):
    """Adds `correlation_id` to standard records for foreign formatters; '-' outside of requests, so that none ever fails."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass."""
        record.correlation_id = console.short_id(get_settings().log_console_id_length)
        return True
