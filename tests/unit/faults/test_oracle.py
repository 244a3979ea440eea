"""The oracle itself: it is content with the truth and with nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.oracle import Counts, Owed, judge_counters, judge_documents
from tests.faults.schedule import NETWORK_FAULTS, plan_of
from tests.faults.writer import is_whole, payload_of

OWED = [Owed("w0-0", 3, slack=1), Owed("w0-1", 2, slack=0)]
IDENTS = ["w0-0-0", "w0-0-1", "w0-0-2", "w0-1-0", "w0-1-1"]
TRUE = Counts(
    emitted=10,
    emitted_elsewhere=2,
    stored=9,
    dead=2,
    dropped=1,
    backlog=0,
    torn=0,
    kills=0,
    shipper_indexed=20,
    shipper_dead=2,
    store_indexed=20,
)


def documents(*idents: str) -> list[dict[str, Any]]:
    """Stored records of these ids."""
    return [{"request_id": ident, "message": payload_of(ident)} for ident in idents]


def test_the_truth_is_no_complaint() -> None:
    """All obligations, and the one record that a killed writer could not note."""
    assert judge_documents(OWED, documents(*IDENTS), is_whole).kept
    assert judge_documents(OWED, documents(*IDENTS, "w0-0-3"), is_whole).kept
    assert judge_counters(TRUE) == []


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (documents(*IDENTS[1:]), "lost"),
        (documents(*IDENTS, IDENTS[0]), "doubled"),
        (documents(*IDENTS, "w0-1-2"), "invented"),
        (documents(*IDENTS, "w9-0-0"), "invented"),
        ([*documents(*IDENTS[1:]), {"request_id": IDENTS[0], "message": "cut"}], "damaged"),
        ([*documents(*IDENTS[1:]), documents(IDENTS[0])[0] | {"extra": {"padding": ["short"]}}], "damaged"),
    ],
)
def test_each_broken_promise_has_its_name(found: list[dict[str, Any]], what: str) -> None:
    """Lost, doubled, invented, damaged; and nothing else is said."""
    judgement = judge_documents(OWED, found, is_whole)
    assert not judgement.kept
    said = {name for name in ("lost", "doubled", "invented", "damaged") if getattr(judgement, name)}
    assert said == {what}
    assert f"1 {what}" in str(judgement)


@pytest.mark.parametrize(
    "lie",
    [
        {"stored": 8},
        {"stored": 10},
        {"dropped": 0},
        {"dead": 3},
        {"backlog": 1},
        {"shipper_indexed": 21},
        {"shipper_dead": 1},
        {"emitted": 11},
    ],
)
def test_each_wrong_counter_is_seen(lie: dict[str, int]) -> None:
    """One off is enough."""
    assert judge_counters(replace(TRUE, **lie))


def test_a_seed_makes_the_same_run_each_time() -> None:
    """So that a failing run can be repeated alone; over many seeds every fault comes up."""
    plans = [plan_of(seed) for seed in range(200)]
    assert plans == [plan_of(seed) for seed in range(200)]
    assert all(any(step.kind.startswith("kill_") for step in plan.steps) for plan in plans)
    kinds = {step.kind for plan in plans for step in plan.steps}
    assert kinds == {"kill_shipper", "stop_shipper", "pause_shipper", "kill_writer", "pause_store", "kill_store", "network"}
    assert {step.mode for plan in plans for step in plan.steps} == {"pass", *NETWORK_FAULTS}
