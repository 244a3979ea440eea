"""What all loggers of a process write through: make the record, mask it, encode it, hand it to the sink.

Before `app.core.log_setup.setup_logging` has run, the first record runs it with the settings of the environment.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any, Final

import orjson

from app.core import metrics
from app.core.flood import LEFT_OUT, FloodGate
from app.core.lines import Repeated, quick_line
from app.core.masking import clean
from app.core.record_errors import add_error
from app.core.records import build, encode, level_names
from app.core.sink import Observer, Sink


class Pipeline:
    """One per process: `PIPELINE`."""

    def __init__(self) -> None:
        self.service = "app"
        self.sink: Sink | None = None
        self.tracebacks = "debug"
        self.max_field = 8192
        self.max_record = 65536
        self.observer: Observer | None = None
        self.gate: FloodGate | None = None

    def emit(self, level: int, logger: str, message: str, fields: Mapping[str, Any], exc: BaseException | None) -> None:
        """Make the record and write it. Never raises: a logger must not break what it watches."""
        try:
            sink = self.sink or self.first_use()
            suppressed = self.gate.judge(level, logger, message, fields) if self.gate is not None else 0
            if suppressed == LEFT_OUT:
                self._show(level, logger, message)
                return
            usual = exc is None and not suppressed and level < logging.ERROR
            line = quick_line(self.service, level, logger, message, fields, self.max_field) if usual else None
            if line is None:
                self._emit_unusual(sink, level, logger, message, fields, exc, suppressed)
                return
            sink.write(level, line)
            if self.observer is not None:
                self._show(level, logger, message)
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller's work goes on)
            _lost(error)

    def emit_repeated(self, record: Repeated, first: float, second: int) -> bool:
        """Write the end of a request the shortest way. False where it must go the usual one; nothing is written then. Never raises."""
        try:
            sink = self.sink
            if sink is None or record.service != self.service or (self.gate is not None and not self.gate.keeps_all_requests):
                return False
            line = record.line(first, second, self.max_field)
            if line is None:
                return False
            sink.write(record.level, line)
            if self.observer is not None:
                self._show(record.level, record.logger, record.message)
        except Exception as error:  # noqa: BLE001 (as in `emit`)
            _lost(error)
        return True

    def _emit_unusual(
        self,
        sink: Sink,
        level: int,
        logger: str,
        message: str,
        fields: Mapping[str, Any],
        exc: BaseException | None,
        suppressed: int,
    ) -> None:
        record = build(self.service, level, logger, message, fields)
        if suppressed:
            record["suppressed"] = suppressed
        if exc is not None:
            add_error(record, exc, with_traceback=self.tracebacks == "always")
            record.setdefault("event", "error.raised")
        sink.write(level, encode(record, self.max_field, self.max_record))
        if exc is not None and self.tracebacks == "debug" and logging.getLogger(logger).isEnabledFor(logging.DEBUG):
            self._emit_traceback(sink, logger, record, exc)
        if self.observer is not None and level >= logging.INFO:
            self.observer(level, record, exc)

    def _show(self, level: int, logger: str, message: str) -> None:
        """Error events show the steps before them, also those that no store has: of a record below ERROR these three fields."""
        if self.observer is not None and level >= logging.INFO:
            self.observer(level, {"logger": logger, "message": clean(message), "log_level": level_names(level)[1]}, None)

    def _emit_traceback(self, sink: Sink, logger: str, about: dict[str, Any], exc: BaseException) -> None:
        fields = {"event": "error.traceback", "request_id": about.get("request_id")}
        record = build(self.service, logging.DEBUG, logger, f"Traceback of {about['error_type']}", fields)
        add_error(record, exc, with_traceback=True)
        sink.write(logging.DEBUG, encode(record, self.max_record, self.max_record))

    @staticmethod
    def first_use() -> Sink:
        """Set logging up from the environment, because nobody has done so yet."""
        from app.core.log_setup import setup_logging  # set-up makes loggers, which write through here

        return setup_logging()


def _lost(error: Exception) -> None:
    metrics.counter("log_records_dropped_total").labels(reason="encoding_failed").inc()
    print(f'{{"level":"ERROR","message":"a log record was lost: {type(error).__name__}"}}', file=sys.stderr)  # noqa: T201


PIPELINE: Final = Pipeline()


def observe(observer: Observer | None) -> None:
    """Tell a function of each record from INFO up; error tracking makes breadcrumbs and events from them."""
    PIPELINE.observer = observer


def as_text(msg: object) -> str:
    """The message as text, even when its `__str__` raises."""
    try:
        return str(msg)
    except Exception:  # noqa: BLE001 (a caller's __str__ may raise anything)
        return f"<unprintable {type(msg).__name__}>"


def format_message(message: str, args: tuple[object, ...]) -> str:
    """Printf-style arguments, as the standard library takes them; a mismatch shows both instead of raising."""
    try:
        return message % (args[0] if len(args) == 1 and isinstance(args[0], Mapping) else args)
    except Exception:  # noqa: BLE001 (formatting calls the arguments' own methods)
        return f"{message} {[as_text(arg) for arg in args]}"


def merge_json(message: str, fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A message that is itself a JSON object becomes fields of the record."""
    try:
        parsed = orjson.loads(message)
    except ValueError:
        return message, dict(fields)
    if not isinstance(parsed, dict):
        return message, dict(fields)
    text = parsed.pop("message", None) or parsed.get("event") or "JSON record"
    return str(text), {**parsed, **fields}
