"""Gauges of the connection pool, and the check that a pooled connection still lives."""

from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

from app.core import metrics


class PoolObserver:
    """Counts what is open and what is in use, as the pool reports it."""

    def __init__(self, pool: Pool, size: int) -> None:
        self._size: Final = size
        self._open = 0
        self._in_use = 0
        connections = metrics.gauge("db_pool_connections")
        self._in_use_gauge: Final = connections.labels(state="in_use")
        self._idle_gauge: Final = connections.labels(state="idle")
        self._usage_gauge: Final = metrics.gauge("db_pool_usage_percent")
        self._publish()
        # A connection that is replaced on checkout never got to `_taken`, so the check goes first.
        event.listen(pool, "checkout", refuse_closed)
        event.listen(pool, "checkout", self._taken)
        event.listen(pool, "checkin", self._given_back)
        event.listen(pool, "connect", self._opened)
        event.listen(pool, "close", self._closed)

    def _taken(self, *_: Any) -> None:
        self._in_use += 1
        self._publish()

    def _given_back(self, *_: Any) -> None:
        self._in_use = max(self._in_use - 1, 0)
        self._publish()

    def _opened(self, *_: Any) -> None:
        self._open += 1
        self._publish()

    def _closed(self, *_: Any) -> None:
        self._open = max(self._open - 1, 0)
        self._publish()

    def _publish(self) -> None:
        self._in_use_gauge.set(self._in_use)
        self._idle_gauge.set(max(self._open - self._in_use, 0))
        self._usage_gauge.set(100 * self._in_use / self._size)


def refuse_closed(dbapi_connection: Any, *_: Any) -> None:
    """Replace a connection whose other end is gone.

    The event loop has already seen the server's goodbye, so asking costs no
    round trip, unlike a ping on every checkout. A server that vanished without
    one is caught by the time limit of the query.
    """
    is_closed = getattr(dbapi_connection.driver_connection, "is_closed", None)
    if is_closed is not None and is_closed():
        raise DisconnectionError("The server closed this connection")
