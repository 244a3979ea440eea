"""What every query leaves behind: a log record, two metrics, a span, and a step in the story of a later error.

The engine's own events are the source, so that no query escapes, whoever sends
it. Statements are logged as they are sent, with placeholders; parameters never.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from app.core import error_tracking, metrics, tracing
from app.core.logger import get_logger
from app.db.errors import connect_failure, sqlstate, tidy

OPERATIONS: Final = frozenset({"select", "insert", "update", "delete"})
"""First words of statements that have a label of their own; anything else is `other`."""

PROBE: Final = "nobet_probe"
"""Execution option of a connection whose queries are no part of the work: health checks and migrations tell how they went."""

COMMIT: Final = "commit"
"""Operation of the records about the end of a transaction."""

log = get_logger(__name__)
_committing: Final[ContextVar[bool]] = ContextVar("nobet_committing", default=False)


class QueryObserver:
    """Watches one engine."""

    def __init__(self, engine: Engine, slow_ms: float) -> None:
        self._slow_ms: Final = slow_ms
        self._queries: Final = metrics.counter("db_queries_total")
        self._durations: Final = metrics.histogram("db_query_duration_seconds")
        self._connect_failures: Final = metrics.counter("db_connection_failures_total")
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "handle_error", self._failed)

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Around the wait for a connection: no query runs, so the engine has no event for its failure."""
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            tidy(error)
            reason = connect_failure(error)
            self._connect_failures.labels(reason=reason).inc()
            log.error(
                "No connection to the database",
                event="db.query.failed",
                operation="connect",
                reason=reason,
                duration_ms=_milliseconds(started),
                error_code=sqlstate(error),
                exc_info=error,
            )
            raise

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Around a commit: it is no statement, so the engine says neither that it failed nor that it took long."""
        started = time.perf_counter()
        token = _committing.set(True)
        try:
            yield
        finally:
            _committing.reset(token)
        duration_ms = _milliseconds(started)
        if duration_ms > self._slow_ms:
            log.warning("A commit was slow", event="db.query.slow", slow=True, operation=COMMIT, duration_ms=duration_ms)

    def _before(self, _connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.nobet_query = None if context.execution_options.get(PROBE) else _Query(statement)

    def _after(self, _connection: Any, cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        query: _Query | None = context.nobet_query
        if query is None:
            return
        rows = cursor.rowcount if cursor.rowcount >= 0 else None
        if rows is not None:
            query.span.set("db.response.returned_rows", rows)
        self._finish(query, "success")
        error_tracking.add_breadcrumb("query", query.statement)
        fields: dict[str, Any] = {
            "operation": query.operation,
            "statement": query.statement,
            "rows": rows,
            "duration_ms": query.milliseconds,
        }
        if query.milliseconds > self._slow_ms:
            log.warning("A query was slow", event="db.query.slow", slow=True, **fields)
        else:
            log.debug("A query ran", event="db.query", **fields)

    def _failed(self, failure: ExceptionContext) -> None:
        error = failure.sqlalchemy_exception or failure.original_exception
        tidy(error)
        if isinstance(error, TimeoutError):
            # The server doesn't answer. This connection is of no use any more; the others may be.
            failure.is_disconnect = True
            failure.invalidate_pool_on_disconnect = False
        if failure.connection is not None and failure.connection.get_execution_options().get(PROBE):
            return
        query: _Query = getattr(failure.execution_context, "nobet_query", None) or _Query(failure.statement or "")
        operation = COMMIT if _committing.get() and not query.statement else query.operation
        fields: dict[str, Any] = {"operation": operation, "statement": query.statement or None, "duration_ms": query.milliseconds}
        if isinstance(error, asyncio.CancelledError):
            self._finish(query, "cancelled")
            log.debug("A query was given up, because its request ended", event="db.query", outcome="cancelled", **fields)
            return
        self._finish(query, "failure", error)
        error_tracking.add_breadcrumb("query", query.statement, "error")
        log.error(
            "A commit failed" if operation == COMMIT else "A query failed",
            event="db.query.failed",
            reason="timeout" if _timed_out(error) else "error",
            error_code=sqlstate(error),
            exc_info=error,
            **fields,
        )

    def _finish(self, query: "_Query", outcome: str, error: BaseException | None = None) -> None:
        query.end(error)
        self._queries.labels(operation=query.operation, outcome=outcome).inc()
        if outcome != "cancelled":
            self._durations.labels(operation=query.operation).observe(query.milliseconds / 1000)


class _Query:
    """One query under way."""

    __slots__ = ("_ended", "_manager", "_started", "operation", "span", "statement")

    def __init__(self, statement: str) -> None:
        self.statement, self.operation = _described(statement)
        self._ended: float | None = None
        self._started: Final = time.perf_counter()
        self._manager: Final = tracing.span("db.query", **{"db.operation.name": self.operation, "db.query.text": self.statement})
        self.span: Final = self._manager.__enter__()

    @property
    def milliseconds(self) -> float:
        """Time until the end, or until now."""
        return round(((self._ended or time.perf_counter()) - self._started) * 1000, 3)

    def end(self, error: BaseException | None) -> None:
        """Close the span. Harmless when called twice."""
        if self._ended is not None:
            return
        self._ended = time.perf_counter()
        if error is None:
            self._manager.__exit__(None, None, None)
        else:
            self._manager.__exit__(type(error), error, error.__traceback__)


@lru_cache(maxsize=512)
def _described(statement: str) -> tuple[str, str]:
    """A statement on one line, and its label. SQLAlchemy sends the same few texts over and over."""
    words = statement.split()
    operation = words[0].lower() if words else ""
    return " ".join(words), operation if operation in OPERATIONS else "other"


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def _timed_out(error: BaseException) -> bool:
    """57014: the server ended the query because statement_timeout had passed."""
    return isinstance(error, TimeoutError) or sqlstate(error) == "57014"
