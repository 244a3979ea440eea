"""The kill loop in short, and its negative controls. `make faults` runs the long form."""

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.faults.oracle import Judgement
from tests.faults.run import Run
from tests.faults.schedule import Plan, Step, plan_of
from tests.support.stack import RunningStack

RUNS: Final = int(os.environ.get("NOBET_TEST_KILL_RUNS", "1"))
"""Runs in `make test`, with another seed every time."""

WRITERS_DIE: Final = tuple(Step(0.4, "kill_writer", 0.0, target=0) for _ in range(3))
REFUSED: Final = (Step(0.0, "network", 4.0, mode="answer_503"), Step(1.0, "kill_shipper", 0.0))


@pytest.mark.req("SHP-07", "LOG-25")
@pytest.mark.parametrize("number", range(RUNS))
def test_whatever_is_killed_nothing_is_lost_or_doubled(stack: RunningStack, tmp_path: Path, number: int) -> None:
    """Writers, shipper and network fail at random; then every obligation is in the store once, unharmed, and the counters are right."""
    stack.need("elasticsearch")
    seed = int(os.environ.get("NOBET_TEST_KILL_SEED", "") or random.randrange(1 << 32)) + number
    print(f"again: make faults SEED={seed} RUNS=1")
    judgement = Run(stack, tmp_path, plan_of(seed)).execute()
    assert judgement.kept, f"seed {seed}: {judgement}"
    assert judgement.records > 100


def _run(stack: RunningStack, folder: Path, steps: tuple[Step, ...], **broken: str) -> Judgement:
    """A plan of these steps, with one of the processes broken."""
    stack.need("elasticsearch")
    plan: Plan = replace(plan_of(1), services=2, pauses=(0.02, 0.02), poison_share=0.0, long_share=0.0, batch_docs=100, steps=steps)
    shipper, module = broken.get("shipper", "app.shipper"), broken.get("module", "tests.faults.writer")
    return Run(stack, folder, plan, shipper=shipper, module=module).execute()


def test_the_loop_catches_a_shipper_that_believes_every_answer(stack: RunningStack, tmp_path: Path) -> None:
    """Negative control: what was answered with 503 and counted as delivered is missing."""
    assert _run(stack, tmp_path, REFUSED, shipper="tests.faults.gullible_shipper").lost


def test_the_loop_catches_a_writer_that_keeps_records_in_memory(stack: RunningStack, tmp_path: Path) -> None:
    """Negative control: what a service was told is written dies with it when it wasn't."""
    assert _run(stack, tmp_path, WRITERS_DIE, module="tests.faults.buffering_writer").lost
