"""A circuit breaker: a dependency that keeps failing is left alone for a while, so that neither side piles up work in vain."""

import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from app.core import metrics
from app.core.logger import get_logger

log = get_logger(__name__)


class CircuitState(IntEnum):
    """The value of the gauge `circuit_breaker_state`."""

    CLOSED = 0
    """All is well; calls go through."""
    HALF_OPEN = 1
    """The pause is over; a single call may try."""
    OPEN = 2
    """Calls are refused at once."""


EVENTS: Final = {
    CircuitState.CLOSED: "circuit.closed",
    CircuitState.HALF_OPEN: "circuit.half_open",
    CircuitState.OPEN: "circuit.opened",
}


class CircuitOpenError(Exception):
    """The dependency wasn't asked, because it failed too often just now. `retry_after` is in seconds."""

    def __init__(self, dependency: str, retry_after: float) -> None:
        super().__init__(f"{dependency} failed too often and is left alone for a while")
        self.retry_after: Final = retry_after


class CircuitBreaker:
    """The circuit to one dependency, in one process.

    Opens after `failures` failed calls in a row, stays open for `seconds`, then
    lets one call probe: its success closes the circuit, its failure opens it
    again. Not for use from several threads.
    """

    def __init__(self, dependency: str, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._dependency: Final = dependency
        self._limit: Final = failures
        self._seconds: Final = seconds
        self._clock: Final = clock
        self._failed = 0
        self._opened_at = 0.0
        self._probing_since: float | None = None
        self._gauge: Final = metrics.gauge("circuit_breaker_state").labels(dependency=dependency)
        self._opened: Final = metrics.counter("circuit_breaker_opened_total").labels(dependency=dependency)
        self._refused: Final = metrics.counter("circuit_breaker_refused_total").labels(dependency=dependency)
        self.state = CircuitState.CLOSED
        self._gauge.set(self.state)

    def enter(self) -> None:
        """Before a call. Raises CircuitOpenError when it must not be made; else one of the other methods must follow it."""
        if self.state is CircuitState.CLOSED:
            return
        now = self._clock()
        if self.state is CircuitState.OPEN and now - self._opened_at >= self._seconds:
            self._change(CircuitState.HALF_OPEN)
        # A probe that was never heard of again must not keep the circuit shut for ever.
        probing = self._probing_since is not None and now - self._probing_since < self._seconds
        if self.state is CircuitState.OPEN or probing:
            self._refused.inc()
            raise CircuitOpenError(self._dependency, max(self._opened_at + self._seconds - now, 1.0))
        self._probing_since = now

    def succeeded(self) -> None:
        """The call worked."""
        self._failed = 0
        self._probing_since = None
        if self.state is not CircuitState.CLOSED:
            self._change(CircuitState.CLOSED)

    def failed(self) -> None:
        """The call failed in a way that says something about the dependency's health."""
        self._failed += 1
        self._probing_since = None
        if self.state is CircuitState.HALF_OPEN or (self.state is CircuitState.CLOSED and self._failed >= self._limit):
            self._opened_at = self._clock()
            self._opened.inc()
            self._change(CircuitState.OPEN)

    def given_up(self) -> None:
        """The call was cancelled before anything was known."""
        self._probing_since = None

    def _change(self, state: CircuitState) -> None:
        self.state = state
        self._gauge.set(state)
        level = 30 if state is CircuitState.OPEN else 20
        log.log(
            level,
            f"The circuit to {self._dependency} is {state.name.lower().replace('_', ' ')}",
            event=EVENTS[state],
            component=self._dependency,
            count=self._failed,
        )
