"""Restarts, kills and a new start keep what the stack has: nothing is lost, nothing is there twice."""

import pytest

from tests.compose.containers import ONE_SHOT, Containers
from tests.compose.keepsakes import Keepsakes
from tests.support.waiting import wait_until

RECOVERY_SECONDS = 900
"""A minute on an idle machine with two cores; on one with other work everything that starts at once takes its time."""


@pytest.mark.req("DEP-11")
def test_a_restart_keeps_the_data(stack: Containers) -> None:
    """`docker compose restart` of everything at once, in no order: each service finds its way and its data."""
    kept = Keepsakes(stack)
    stack.compose("restart")
    _recover(stack)
    kept.check()


@pytest.mark.req("DEP-11")
def test_a_kill_of_everything_loses_and_doubles_nothing(stack: Containers) -> None:
    """Every first process gets a -9 while records are on their way: the restart policy brings all back, and each record is there once."""
    kept = Keepsakes(stack, requests=100)
    victims = [name for name in stack.inspect() if name not in ONE_SHOT]
    before = {name: stack.inspect()[name]["State"]["StartedAt"] for name in victims}
    for name in victims:
        stack.kill(name)
    wait_until(
        "every container being started again",
        lambda: not [name for name in victims if stack.inspect()[name]["State"]["StartedAt"] == before[name]],
        RECOVERY_SECONDS,
    )
    _recover(stack)
    kept.check(killed=True)


@pytest.mark.req("DEP-11")
def test_down_and_up_keep_the_data(stack: Containers) -> None:
    """`make down` and `make up`: new containers, the old data."""
    kept = Keepsakes(stack)
    stack.nobet("down", "--mode", "compose")
    assert stack.inspect() == {}
    stack.up()
    kept.check()


def _recover(stack: Containers) -> None:
    names = [name for name in stack.inspect() if name not in ONE_SHOT]
    wait_until("every service being healthy", lambda: all(stack.is_healthy(name) for name in names), RECOVERY_SECONDS, pause=1)
