"""What a run does, made from its seed alone: the same seed gives the same services, loads and faults."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from tests.support.faultproxy import MODES, Mode

Kind = Literal["kill_shipper", "stop_shipper", "pause_shipper", "kill_writer", "pause_store", "kill_store", "network"]

WEIGHTS: Final[dict[Kind, int]] = {
    "kill_shipper": 6,
    "network": 6,
    "kill_writer": 3,
    "pause_shipper": 1,
    "pause_store": 1,
    "stop_shipper": 1,
}
NETWORK_FAULTS: Final[tuple[Mode, ...]] = tuple(mode for mode in MODES if mode != "pass")
KILLED_STORE_SHARE: Final = 0.06
"""Share of runs in which Elasticsearch itself dies: it takes half a minute to come back, so not in each."""


@dataclass(frozen=True, slots=True)
class Step:
    """A fault: when it begins after the last one's begin, and how long it lasts, in seconds."""

    pause: float
    kind: Kind
    lasts: float
    mode: Mode = "pass"
    target: int = 0
    """Which writer, for those that are about one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    services: int
    segment_bytes: int
    pauses: tuple[float, ...]
    """Seconds between two bursts of each service."""
    poison_share: float
    long_share: float
    batch_docs: int
    connections: int
    steps: tuple[Step, ...]


def plan_of(seed: int, steps: int = 8) -> Plan:
    """The run of a seed."""
    chosen = random.Random(seed)
    services = chosen.randint(2, 4)
    kinds = chosen.choices(list(WEIGHTS), list(WEIGHTS.values()), k=steps)
    if not any(kind == "kill_shipper" for kind in kinds):
        kinds[chosen.randrange(steps)] = "kill_shipper"
    if chosen.random() < KILLED_STORE_SHARE:
        kinds[chosen.randrange(steps)] = "kill_store"
    return Plan(
        seed=seed,
        services=services,
        segment_bytes=chosen.choice([3_000, 20_000, 200_000]),
        pauses=tuple(chosen.uniform(0.05, 0.5) for _ in range(services)),
        poison_share=chosen.choice([0.0, 0.0, 0.01]),
        long_share=chosen.choice([0.0, 0.01]),
        batch_docs=chosen.choice([20, 100, 1000]),
        connections=chosen.choice([1, 2, 3]),
        steps=tuple(
            Step(
                pause=chosen.uniform(0.05, 0.9),
                kind=kind,
                lasts=chosen.uniform(0.2, 2.0),
                mode=chosen.choice(NETWORK_FAULTS) if kind == "network" else "pass",
                target=chosen.randrange(services),
            )
            for kind in kinds
        ),
    )
