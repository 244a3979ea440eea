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

DEATHS: Final = (*(Step(0.3, "kill_shipper", 0.0) for _ in range(3)), *(Step(0.2, "kill_writer", 0.0, target=0) for _ in range(2)))


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


def _deadly(stack: RunningStack, folder: Path, shipper: str = "app.shipper", module: str = "tests.faults.writer") -> Judgement:
    """A plan of deaths under load, small batches over a slow network."""
    stack.need("elasticsearch")
    plan: Plan = replace(
        plan_of(1), services=2, pauses=(0.02, 0.02), segment_bytes=20_000, poison_share=0.0, long_share=0.0, batch_docs=100, steps=()
    )
    slow = Step(0.0, "network", 3.0, mode="hold_answers")
    return Run(stack, folder, replace(plan, steps=(slow, *DEATHS)), shipper=shipper, module=module).execute()


def test_the_loop_catches_a_shipper_that_notes_too_early(stack: RunningStack, tmp_path: Path) -> None:
    """Negative control: positions that run ahead of the answers lose what was on its way."""
    assert _deadly(stack, tmp_path, shipper="tests.faults.forgetful_shipper").lost


def test_the_loop_catches_a_writer_that_keeps_records_in_memory(stack: RunningStack, tmp_path: Path) -> None:
    """Negative control: what a service was told is written dies with it when it wasn't."""
    assert _deadly(stack, tmp_path, module="tests.faults.buffering_writer").lost
