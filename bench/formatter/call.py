"""What is logged: the same for all."""

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

MESSAGE: Final = "Feed loaded"

CONTEXT: Final[dict[str, Any]] = {
    "request_id": "5f0c9a1e-7d52-4b8e-9c0d-2f6b8a4e1d37",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
    "method": "GET",
    "path": "/feed",
}
"""What a request binds."""

Calls = Mapping[str, Callable[[], None]]

current: Final[ContextVar[dict[str, Any]]] = ContextVar("current", default=CONTEXT)


class AddContext(logging.Filter):
    """The request's fields into each standard record, as people do it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets all pass."""
        record.__dict__.update(current.get())
        return True


def standard_logger(path: Path, formatter: logging.Formatter) -> logging.Logger:
    """The standard library's logger with a file handler and this formatter."""
    handler = logging.FileHandler(path)
    handler.setFormatter(formatter)
    handler.addFilter(AddContext())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    return logging.getLogger("app.feed")


def standard_call(log: logging.Logger) -> Callable[[], None]:
    """One call of a standard logger."""

    def call() -> None:
        log.info(MESSAGE, extra={"user_id": "u-48213", "count": 9, "duration_ms": 12.5, "source": "database", "cached": False})

    return call
