"""The loggers: one schema from three styles of logging, and no way past the masking.

    log = get_logger(__name__)
    log.info("feed.loaded", count=3)                      # event and fields
    log.info("Feed loaded", extra={"event": "feed.loaded", "count": 3})
    logging.getLogger(__name__).info("Feed loaded")       # the standard library
    structlog.get_logger().info("feed.loaded", count=3)   # after configure_logging()

All four end in the same record, the same spool and the same standard output.
`get_logger` gives the quickest: it makes no LogRecord unless somebody else
(a test's capture, another library's handler) has put a handler on the root
logger as well. Levels are the standard library's, so `logging.getLogger(name).setLevel`
works for all.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from app.core.lines import Repeated
from app.core.log_bridges import PipelineHandler
from app.core.masking import mask_text
from app.core.pipeline import PIPELINE, as_text, format_message, merge_json
from app.core.record_errors import ExcInfo, resolve_exc_info

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
WARNING: Final = logging.WARNING
ERROR: Final = logging.ERROR
CRITICAL: Final = logging.CRITICAL

_NO_FIELDS: Final[dict[str, Any]] = {}
_root: Final = logging.getLogger()


class Logger:
    """The logger that `get_logger` returns. `extra=` and keyword fields mean the same."""

    __slots__ = ("_bound", "_std", "name")

    def __init__(self, name: str, bound: Mapping[str, Any] = _NO_FIELDS) -> None:
        self.name = name
        self._std = logging.getLogger(name)
        self._bound = bound

    def bind(self, **fields: Any) -> "Logger":
        """A logger that adds these fields to each of its records."""
        return Logger(self.name, {**self._bound, **fields})

    def is_enabled_for(self, level: int) -> bool:
        """Whether a record of this level would be written."""
        return self._std.isEnabledFor(level)

    isEnabledFor = is_enabled_for  # noqa: N815 (the standard library's spelling, which callers know)

    def debug(self, msg: object, *args: object, extra: Mapping[str, Any] | None = None, exc_info: object = None, **fields: Any) -> None:
        """Detail for developers."""
        if self._std.isEnabledFor(DEBUG) or PIPELINE.sink is None:
            self._write(DEBUG, msg, args, extra, exc_info, fields)

    def info(self, msg: object, *args: object, extra: Mapping[str, Any] | None = None, exc_info: object = None, **fields: Any) -> None:
        """Something normal happened."""
        if self._std.isEnabledFor(INFO) or PIPELINE.sink is None:
            self._write(INFO, msg, args, extra, exc_info, fields)

    def warning(self, msg: object, *args: object, extra: Mapping[str, Any] | None = None, exc_info: object = None, **fields: Any) -> None:
        """Something is wrong, and was coped with."""
        if self._std.isEnabledFor(WARNING) or PIPELINE.sink is None:
            self._write(WARNING, msg, args, extra, exc_info, fields)

    def error(self, msg: object, *args: object, extra: Mapping[str, Any] | None = None, exc_info: object = None, **fields: Any) -> None:
        """An operation failed."""
        if self._std.isEnabledFor(ERROR) or PIPELINE.sink is None:
            self._write(ERROR, msg, args, extra, exc_info, fields)

    def critical(self, msg: object, *args: object, extra: Mapping[str, Any] | None = None, exc_info: object = None, **fields: Any) -> None:
        """The service can't go on as it should."""
        if self._std.isEnabledFor(CRITICAL) or PIPELINE.sink is None:
            self._write(CRITICAL, msg, args, extra, exc_info, fields)

    def exception(self, msg: object, *args: object, extra: Mapping[str, Any] | None = None, exc_info: object = True, **fields: Any) -> None:
        """`error` about the exception that is being handled."""
        if self._std.isEnabledFor(ERROR) or PIPELINE.sink is None:
            self._write(ERROR, msg, args, extra, exc_info, fields)

    def log(
        self, level: int, msg: object, *args: object, extra: Mapping[str, Any] | None = None, exc_info: object = None, **fields: Any
    ) -> None:
        """A record of any level."""
        if self._std.isEnabledFor(level) or PIPELINE.sink is None:
            self._write(level, msg, args, extra, exc_info, fields)

    def write_repeated(self, record: Repeated, first: float, second: int) -> bool:
        """Write a prepared record with its two numbers. False where it has to be logged as any other; nothing is written then."""
        return self._std.isEnabledFor(record.level) and len(_root.handlers) == 1 and PIPELINE.emit_repeated(record, first, second)

    def _write(
        self, level: int, msg: object, args: tuple[object, ...], extra: Mapping[str, Any] | None, exc_info: object, fields: dict[str, Any]
    ) -> None:
        if PIPELINE.sink is None:
            PIPELINE.first_use()  # only now are the levels of the settings in force
            if not self._std.isEnabledFor(level):
                return
        message = msg if type(msg) is str else as_text(msg)
        if args:
            message = format_message(message, args)
        if extra:
            fields = {**extra, **fields} if fields else dict(extra)
        if self._bound:
            fields = {**self._bound, **fields}
        if message[:1] == "{":
            message, fields = merge_json(message, fields)
        exc = resolve_exc_info(exc_info) if exc_info else None
        PIPELINE.emit(level, self.name, message, fields, exc)
        if len(_root.handlers) != 1:
            self._tell_others(level, message, fields, exc)

    def _tell_others(self, level: int, message: str, fields: dict[str, Any], exc: BaseException | None) -> None:
        """Handlers that others put on the root logger get a LogRecord."""
        triple: ExcInfo | None = (type(exc), exc, exc.__traceback__) if exc else None
        record = logging.LogRecord(self.name, level, "", 0, mask_text(message), None, triple)
        record.__dict__.update({key: value for key, value in fields.items() if key not in record.__dict__})
        for handler in _root.handlers:
            if not isinstance(handler, PipelineHandler) and level >= handler.level:
                handler.handle(record)


def get_logger(name: str) -> Logger:
    """The logger of a module: `get_logger(__name__)`."""
    return Logger(name)


def mask_sensitive_data(text: str) -> str:
    """The text with keys, tokens, passwords, cards, e-mail and public IP addresses hidden."""
    return mask_text(text)
