"""Safe by construction: where it refuses, and that a fault is undone whatever happens."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.stack.drill import command
from app.stack.drill.arena import Arena
from app.stack.drill.catalogue import DRILLS
from app.stack.drill.chain import Seen
from app.stack.drill.journal import Journal, Step
from app.stack.drill.model import Drill, Expected
from app.stack.drill.run import run_round
from app.stack.errors import StackError
from app.stack.stack import Stack
from tests.unit.stack.conftest import OpenStack


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("here", [True, False])
def test_it_refuses_outside_development(open_at: OpenStack, environment: str, here: bool) -> None:
    """Nothing is broken where users are."""
    stack = open_at(ENVIRONMENT=environment)
    with pytest.raises(StackError, match=f"development and test only, and this is {environment}"):
        command.run(stack, [], 0.04, None, here=here, keep=False)


def test_an_unknown_alert_is_named() -> None:
    """With the way to the right one."""
    with pytest.raises(StackError, match=r"No drill proves RedisDwon.*--list"):
        command.chosen(["RedisDown", "RedisDwon"])


def test_named_alerts_choose_their_drills() -> None:
    """One fault for both alerts that it proves; without names all."""
    assert [drill.name for drill in command.chosen(["AuthTokenErrors", "FailedLogins"])] == ["refusals"]
    assert command.chosen([]) == list(DRILLS)


def test_without_a_running_stack_it_says_so(stack: Stack) -> None:
    """--here needs one."""
    with pytest.raises(StackError, match="does not run"):
        command.run(stack, ["RedisDown"], 0.04, None, here=True, keep=False)


class _World:
    """An arena in which faults are words."""

    def __init__(self, stack: Stack) -> None:
        self.undone: list[str] = []
        journal = Journal(stack.paths.run / "undo.jsonl")
        pace = SimpleNamespace(scale=0.04, use=lambda _limits, _factor=1.0: None)
        chain = SimpleNamespace(look=lambda: Seen(knows=True), forget_messages=lambda: None, has_receivers=False)
        hands = SimpleNamespace(journal=journal, perform=self._perform)
        self.arena = Arena(stack, cast("Any", hands), cast("Any", pace), cast("Any", chain), None)
        self.journal = journal

    def _perform(self, step: Step) -> None:
        self.undone.append(step["what"])


@pytest.mark.parametrize("ending", [KeyboardInterrupt, RuntimeError])
def test_a_fault_is_undone_whatever_ends_the_drill(stack: Stack, ending: type[BaseException]) -> None:
    """Ctrl-C in the middle, or a mistake of ours: what is broken is mended first."""
    world = _World(stack)

    def fault(arena: Arena) -> None:
        arena.hands.journal.plan({"do": "start", "what": "redis"})
        raise ending

    drill = Drill("redis", "Redis is stopped", fault, (Expected("RedisDown", "critical"),))
    with pytest.raises(ending):
        run_round(world.arena, [drill], lambda _result, _proof: None)
    assert world.undone == ["redis"]
    assert len(world.journal) == 0


def test_a_fault_that_can_not_be_done_fails_its_alerts(stack: Stack) -> None:
    """A drill that did not take place proves nothing, and says why."""
    world = _World(stack)

    def fault(_arena: Arena) -> None:
        raise StackError("The disk is too full.")

    drill = Drill("disk", "the disk fills up", fault, (Expected("HighDiskUsage", "warning"),))
    (result,) = run_round(world.arena, [drill], lambda _result, _proof: None)
    assert [proof.failure for proof in result.proofs] == ["the fault could not be done: The disk is too full."]
