"""The days that `nobet demo` can play: how many people come, what they do, what goes wrong, and where to look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong for a while: knobs of the voice service, other visits, a locked table, a deployment."""

    name: str
    knobs: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    visits: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    """Weights that replace those of the scenario meanwhile."""
    lock_seconds: float = 0
    """How long a table of the database is locked, again and again while the trouble lasts."""
    deploys: bool = False
    """A new version is marked as deployed at its beginning, the old one at its end."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of day."""

    meaning: str
    look: str
    """What to look at, in one sentence."""
    rate: float
    """Visits per second."""
    minutes: float
    """How long it takes unless somebody says otherwise."""
    mix: Mapping[str, float]
    """Weights of the visits; see `app.stack.demo.visits`."""
    troubles: tuple[Trouble, ...] = ()
    calm_seconds: float = 60.0
    trouble_seconds: float = 20.0


_PEOPLE: Final[Mapping[str, float]] = {
    "feed": 34,
    "graphql": 6,
    "read": 12,
    "comments": 4,
    "post": 5,
    "comment": 6,
    "profile": 3,
    "picture": 6,
    "image": 3,
    "suggest": 8,
    "chat": 3,
    "call": 3,
    "track": 4,
    "login": 1.5,
    "refresh": 1,
    "wrong_password": 0.7,
    "expired": 0.7,
    "missing": 1.5,
    "nonsense": 1,
    "delete": 0.5,
}
_SLOW: Final = Trouble("suggestions are slow", {"latency_seconds": 0.6, "jitter_seconds": 0.8})
_FAILING: Final = Trouble("suggestions fail", {"failure_share": 0.6, "failure_status": 503, "failure_code": "model_overloaded"})
_HANGING: Final = Trouble("suggestions hang", {"hang_share": 0.3})
_SLOW_LLM: Final = Trouble(
    "the language model is slow", {"stages": {"llm": {"latency_seconds": 1.4, "jitter_seconds": 0.8}}}, visits={"call": 20}
)
_BAD_VERSION: Final = Trouble("a bad version is deployed", visits={"crash": 14}, deploys=True)
_LOCKED: Final = Trouble("a table is locked", lock_seconds=8)

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "calm-day": Scenario(
        "a quiet day: few visitors, no failure but their own (dead links, wrong passwords, expired tokens)",
        "API performance in Grafana: no red anywhere; 4xx are people's mistakes and alert nobody.",
        rate=4,
        minutes=10,
        mix=_PEOPLE,
    ),
    "evening-peak": Scenario(
        "an evening: many visitors at once, now and then slow or failing suggestions",
        "request rate and p95 by endpoint; the circuit breaker and 502/503 of /suggest while the rest goes on.",
        rate=25,
        minutes=10,
        mix={**_PEOPLE, "crash": 0.03},
        troubles=(_SLOW, _FAILING),
        calm_seconds=60,
        trouble_seconds=30,
    ),
    "deploy-gone-wrong": Scenario(
        "a new version is deployed and crashes for one visitor in eight, until it is rolled back",
        "HighErrorRate (mail, Alertmanager) and the mark app.deployed just before; nobet story of a crash says since when.",
        rate=8,
        minutes=16,
        mix=_PEOPLE,
        troubles=(_BAD_VERSION,),
        calm_seconds=60,
        trouble_seconds=540,
    ),
    "slow-llm": Scenario(
        "the language model of the calls becomes slow, so that turns take longer than a second",
        "llm_ttft_duration_ms and end_to_end_turn_duration_ms, HighTurnLatency, and llm_call as the long span of a turn's trace.",
        rate=5,
        minutes=14,
        mix={**_PEOPLE, "call": 10},
        troubles=(_SLOW_LLM,),
        calm_seconds=60,
        trouble_seconds=480,
    ),
    "database-trouble": Scenario(
        "a table of the database is locked for 8 s, again and again, as by a careless migration",
        "db.query.failed with reason timeout, db_query_duration_seconds, posts that fail while cached pages and calls go on.",
        rate=6,
        minutes=8,
        mix=_PEOPLE,
        troubles=(_LOCKED,),
        calm_seconds=30,
        trouble_seconds=60,
    ),
    "bad-night": Scenario(
        "crashes, dead links, and suggestions that fail, dawdle and hang in turn",
        "Top errors, the error tracker's issues, and which of the alerts come first.",
        rate=15,
        minutes=10,
        mix={**_PEOPLE, "missing": 6, "nonsense": 4, "crash": 1.5},
        troubles=(_FAILING, _HANGING, _SLOW),
        calm_seconds=10,
        trouble_seconds=30,
    ),
}

ALIASES: Final[Mapping[str, str]] = {"calm": "calm-day", "busy": "evening-peak", "trouble": "bad-night"}
"""Former names."""

DEFAULT: Final = "evening-peak"
