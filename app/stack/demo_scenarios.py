"""The days that `make demo` can play: how many people come, what they do, and when trouble comes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the suggestion service does for a while."""

    name: str
    knobs: Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of day: requests per second, how they are mixed, and how often trouble comes."""

    meaning: str
    rate: float
    mix: Mapping[str, float]
    troubles: tuple[Trouble, ...] = ()
    calm_seconds: float = 60.0
    trouble_seconds: float = 20.0


_PEOPLE: Final = {"feed": 60.0, "post": 12.0, "read": 12.0, "suggest": 12.0, "missing": 2.0, "nonsense": 1.5, "delete": 0.5}
_SLOW: Final = Trouble("slow", {"latency_seconds": 0.6, "jitter_seconds": 0.8})
_FAILING: Final = Trouble("failing", {"failure_share": 0.6, "failure_status": 503, "failure_code": "model_overloaded"})
_HANGING: Final = Trouble("hanging", {"hang_share": 0.3})

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "calm": Scenario("a quiet evening: few requests, hardly a failure", 4, _PEOPLE, (_SLOW,), 120, 15),
    "busy": Scenario(
        "a working day: many requests, now and then a slow or failing dependency", 30, {**_PEOPLE, "crash": 0.05}, (_SLOW, _FAILING)
    ),
    "trouble": Scenario(
        "a bad night: crashes, dead links, a suggestion service that fails, dawdles and hangs",
        15,
        {**_PEOPLE, "missing": 6, "nonsense": 4, "crash": 1.5},
        (_FAILING, _HANGING, _SLOW),
        10,
        30,
    ),
}
