"""Runs drills one after the other: fault, proof of the way up, undoing, proof of the way down."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx
import psutil

from app.stack.drill.arena import Arena
from app.stack.drill.chain import Seen
from app.stack.drill.model import PATIENCE_SECONDS, Drill
from app.stack.drill.proof import Proof
from app.stack.errors import StackError

_POLL_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 300.0
"""How long what an earlier drill left is given to end."""


@dataclass(slots=True)
class Result:
    """What came of a drill."""

    drill: Drill
    proofs: list[Proof]
    limits: dict[str, float] = field(default_factory=dict)
    scale: float = 1.0
    failure: str = ""
    """What went wrong with the drill itself."""


Told = Callable[[Result, Proof], None]
"""Is told of each alert when it is proven or has failed."""


def rounds(drills: Sequence[Drill]) -> list[list[Drill]]:
    """The drills in the order in which they run, those that run at once together."""
    found: dict[str, list[Drill]] = {}
    for drill in drills:
        found.setdefault(drill.together or f"alone {drill.name}", []).append(drill)
    return list(found.values())


def run_round(arena: Arena, drills: Sequence[Drill], told: Told) -> list[Result]:
    """Do the faults, watch, undo them, watch again. They are undone whatever happens. Raises StackError when that fails."""
    kept = len(arena.hands.journal)
    factor = drills[0].scale
    results = [Result(drill, [], scale=arena.pace.scale * factor) for drill in drills]
    try:
        arena.pace.use({}, factor)
        noisy = _wait_quiet(arena, drills)
        for result in results:
            result.limits = dict(result.drill.limits(arena))
        arena.chain.forget_messages()
        began = time.monotonic()
        arena.pace.use({name: value for result in results for name, value in result.limits.items()}, factor)
        for result in results:
            _begin(arena, result, noisy)
        _watch(arena, results, began, ending=False)
    finally:
        problems = arena.undo(kept)
    if problems:
        raise StackError(f"A fault could not be undone: {'; '.join(problems)}. The next drill tries again.")
    for drill in drills:
        if drill.after:
            drill.after(arena)
    _watch(arena, results, time.monotonic(), ending=True)
    for result in results:
        for proof in result.proofs:
            proof.failure = result.failure or _failure_of(proof)
            told(result, proof)
    return results


def _begin(arena: Arena, result: Result, noisy: Sequence[str]) -> None:
    """Do one fault; one that can't be done fails its own alerts only."""
    drill = result.drill
    result.proofs = [Proof(expected, arena.chain.has_receivers) for expected in drill.proves]
    if early := [proof.alert for proof in result.proofs if proof.alert in noisy]:
        result.failure = f"{', '.join(early)} fires before the fault"
    try:
        drill.fault(arena)
    except (StackError, OSError, httpx.HTTPError, psutil.Error) as error:
        result.failure = f"the fault could not be done: {error}"


def _watch(arena: Arena, results: Sequence[Result], began: float, *, ending: bool) -> None:
    """Look until everything that is to be seen was seen, or patience ends. On the way down only for what had come up."""
    watched = [
        (result.drill, proof)
        for result in results
        for proof in result.proofs
        if not result.failure and not (ending and proof.missing(ending=False))
    ]
    while any(proof.missing(ending=ending) for _, proof in watched) and time.monotonic() - began < PATIENCE_SECONDS:
        seen = arena.chain.look()
        for drill, proof in watched:
            proof.note(seen, time.monotonic() - began, ending=ending)
            if not ending and drill.acknowledge:
                _acknowledge(arena, proof)
        left_alone = [proof.alert for _, proof in watched] + [alert for drill, _ in watched for alert in drill.unanswered]
        _acknowledge_others(arena, seen, left_alone)
        time.sleep(_POLL_SECONDS)


def _acknowledge(arena: Arena, proof: Proof) -> None:
    """Answer a page when it has come everywhere."""
    if proof.incident and not proof.acknowledged and not proof.missing(ending=False):
        proof.acknowledged = arena.chain.acknowledge(proof.incident)


def _acknowledge_others(arena: Arena, seen: Seen, left_alone: Sequence[str]) -> None:
    """Answer the pages that a fault raises besides: nobody else does, and they would raise an alert of their own."""
    for incident in seen.incidents:
        if incident["state"] != "acknowledged" and incident["alertname"] not in left_alone:
            arena.chain.acknowledge(incident["id"])


def _wait_quiet(arena: Arena, drills: Sequence[Drill]) -> list[str]:
    """Wait until none of the alerts fires any more; returns those that go on: nothing can be proven with them."""
    deadline = time.monotonic() + _QUIET_SECONDS
    expected = [Proof(expected, with_receivers=False) for drill in drills for expected in drill.proves if expected.way != "heartbeat"]
    while noisy := _noisy(seen := arena.chain.look(), expected):
        _acknowledge_others(arena, seen, [])
        if time.monotonic() > deadline:
            return noisy
        time.sleep(_POLL_SECONDS)
    return []


def _noisy(seen: Seen, proofs: Sequence[Proof]) -> list[str]:
    if not seen.knows:
        return ["Prometheus"]
    noisy = [proof.expected.alert for proof in proofs if proof.fires(seen)]
    return noisy + [proof.expected.alert for proof in proofs if proof.incidents(seen)]


def _failure_of(proof: Proof) -> str:
    if missing := proof.missing(ending=False):
        return f"not seen within {PATIENCE_SECONDS:.0f} s of the fault: {', '.join(missing)}"
    if missing := proof.missing(ending=True):
        return f"not seen within {PATIENCE_SECONDS:.0f} s of its end: {', '.join(missing)}"
    return ""
