"""The circuit breaker, with a clock that the test turns."""

import pytest

from app.clients.circuit import CircuitBreaker, CircuitOpenError
from tests.support.asgi import sample
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """The clock of the breaker under test."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    """Opens after three failures in a row, for ten seconds."""
    return CircuitBreaker("thing", failures=3, seconds=10, clock=clock)


def _state(breaker: CircuitBreaker) -> str:
    return breaker.state.name


def _fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.failed()


def test_failures_in_a_row_open_it_and_success_starts_the_row_anew(breaker: CircuitBreaker) -> None:
    """Two failures, a success, two failures: closed. A third in a row: open, and the gauge says 2."""
    _fail(breaker, 2)
    breaker.enter()
    breaker.succeeded()
    _fail(breaker, 2)
    assert _state(breaker) == "CLOSED"
    _fail(breaker, 1)
    assert _state(breaker) == "OPEN"
    assert sample("circuit_breaker_state", dependency="thing") == 2


def test_while_it_is_open_calls_are_refused_with_the_time_that_is_left(breaker: CircuitBreaker, clock: Clock) -> None:
    """Nothing is called before the pause is over; refusals are counted."""
    _fail(breaker, 3)
    clock.now += 4
    before = sample("circuit_breaker_refused_total", dependency="thing")
    with pytest.raises(CircuitOpenError) as refused:
        breaker.enter()
    assert refused.value.retry_after == 6
    assert sample("circuit_breaker_refused_total", dependency="thing") - before == 1


def test_after_the_pause_one_call_probes_and_its_success_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    """Half open: the first is let through, the second refused until the first is back."""
    _fail(breaker, 3)
    clock.now += 10
    breaker.enter()
    assert _state(breaker) == "HALF_OPEN"
    with pytest.raises(CircuitOpenError):
        breaker.enter()
    breaker.succeeded()
    assert _state(breaker) == "CLOSED"
    breaker.enter()


def test_a_probe_that_fails_opens_it_again(breaker: CircuitBreaker, clock: Clock) -> None:
    """One failure is enough then, and the pause begins anew."""
    _fail(breaker, 3)
    clock.now += 10
    _fail(breaker, 1)
    assert _state(breaker) == "OPEN"
    clock.now += 9
    with pytest.raises(CircuitOpenError):
        breaker.enter()


def test_a_probe_that_is_given_up_or_never_heard_of_again_makes_room_for_another(breaker: CircuitBreaker, clock: Clock) -> None:
    """A cancelled probe decides nothing and blocks nothing."""
    _fail(breaker, 3)
    clock.now += 10
    breaker.enter()
    breaker.given_up()
    breaker.enter()
    clock.now += 10
    breaker.enter()
    breaker.succeeded()
    assert _state(breaker) == "CLOSED"
