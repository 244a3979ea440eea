"""The standard library's loggers without their detour, wherever nobody would notice.

For each record the standard library looks up the caller's frame, thread and
process and makes a LogRecord of some twenty attributes, for handlers that may
want them. Ours wants none, and when it is the only one that would be asked, the
record goes straight into the pipeline. As soon as anything else has a say (a
second handler, a filter, another record factory, a patch of another library, a
logger that doesn't propagate), everything goes the standard way.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Final

from app.core.log_bridges import ACCESS, STANDARD_ATTRIBUTES, PipelineHandler, take

_CALL_HANDLERS: Final = logging.Logger.callHandlers
_HANDLE: Final = logging.Logger.handle
_MAKE_RECORD: Final = logging.Logger.makeRecord


_OURS_TO_REPLACE: Final = ("logging", "structlog.stdlib")
"""Modules whose classes of loggers do nothing that this one doesn't."""

_ON_THE_WAY: Final = ("logging", "structlog", __name__)
"""Modules whose frames are not the caller's."""


class PipelineLogger(logging.Logger):
    """A standard logger that knows a short way."""

    def _log(
        self,
        level: int,
        msg: object,
        args: Any,
        exc_info: Any = None,
        extra: Mapping[str, object] | None = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        if stack_info or not _goes_straight(self, level) or (extra and not STANDARD_ATTRIBUTES.isdisjoint(extra)):
            super()._log(level, msg, args, exc_info, extra, stack_info, stacklevel)
            return
        take(level, self.name, msg, args, extra or {}, exc_info)

    def findCaller(self, stack_info: bool = False, stacklevel: int = 1) -> tuple[str, int, str, str | None]:  # noqa: N802 (its name)
        """Who logged: the first frame outside of logging, structlog and this class, or further out by `stacklevel`."""
        frame = sys._getframe(1)
        while frame.f_back is not None and _is_on_the_way(frame.f_globals.get("__name__", "")):
            frame = frame.f_back
        while stacklevel > 1 and frame.f_back is not None:
            frame, stacklevel = frame.f_back, stacklevel - 1
        stack = "Stack (most recent call last):\n" + "".join(traceback.format_stack(frame)).rstrip("\n") if stack_info else None
        return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, stack


def use_quick_loggers() -> None:
    """From now on, for loggers that exist and for those to come; other people's classes of loggers stay as they are."""
    logging.setLoggerClass(PipelineLogger)
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and type(logger).__module__ in _OURS_TO_REPLACE:
            logger.__class__ = PipelineLogger


def _is_on_the_way(module: str) -> bool:
    return module.startswith(_ON_THE_WAY)


def _goes_straight(logger: logging.Logger, level: int) -> bool:
    """Whether our handler on the root is all that would see a record of this logger's."""
    if logger.filters or logger.name == ACCESS or logging.getLogRecordFactory() is not logging.LogRecord or _is_patched():
        return False
    step = logger
    while step.parent is not None:
        if step.handlers or not step.propagate:
            return False
        step = step.parent
    handlers = step.handlers
    if len(handlers) != 1:
        return False
    handler = handlers[0]
    return type(handler) is PipelineHandler and not handler.filters and level >= handler.level


def _is_patched() -> bool:
    """Whether another library has put its own in one of these places since we were imported."""
    standard = logging.Logger
    return not (standard.callHandlers is _CALL_HANDLERS and standard.handle is _HANDLE and standard.makeRecord is _MAKE_RECORD)
