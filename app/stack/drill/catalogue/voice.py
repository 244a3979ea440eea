"""Voice calls: slow and failing stages, tasks that are not done, a service that is away."""

from collections.abc import Mapping
from typing import Any, Final

from app.stack.drill.arena import Arena
from app.stack.drill.model import Drill, Expected
from app.stack.drill.traffic import Visitor

_SPEECH: Final = {"speech": "a table for four at eight please"}
_TASK: Final = {"task": "reservation", "details": {"people": "4", "at": "20:00"}}
_APP: Final = {"service": "app"}
_VOICE: Final = {"service": "voice"}


def _turn(visitor: Visitor) -> None:
    visitor.call("turns", _SPEECH)


def _task(visitor: Visitor) -> None:
    visitor.call("tasks", _TASK)


class _Stage:
    """Knobs of a stage, and calls that need it."""

    def __init__(self, stage: str, knobs: Mapping[str, Any]) -> None:
        self._knobs: Final = {"stages": {stage: dict(knobs)}}
        self._visit: Final = _task if stage == "task" else _turn

    def __call__(self, arena: Arena) -> None:
        arena.hands.turn(self._knobs)
        arena.visit(self._visit, 10, 8)


def _stopped(arena: Arena) -> None:
    arena.hands.stop("voice")
    arena.visit(Visitor.suggest, 10, 2)
    arena.visit(_turn, 5, 2)


VOICE: Final = (
    Drill(
        "stage-slow",
        "speech recognition takes 0.35 s",
        _Stage("asr", {"latency_seconds": 0.35, "jitter_seconds": 0}),
        (Expected("VoiceStageSlow", "warning"),),
        together="errors",
    ),
    Drill(
        "turn-slow",
        "the language model takes 2 s to its first token",
        _Stage("llm", {"latency_seconds": 2}),
        (Expected("HighTurnLatency", "warning"), Expected("VoiceStageSlow", "warning", "held")),
        together="few errors",
    ),
    Drill(
        "stage-fails",
        "the language model fails every other time",
        _Stage("llm", {"failure_share": 0.5}),
        (Expected("VoiceStageFailing", "warning"),),
        together="slow",
    ),
    Drill(
        "task-fails",
        "every other reservation fails",
        _Stage("task", {"failure_share": 0.5}),
        (Expected("HighTaskFailureRate", "warning"), Expected("HighTotalTaskFailureRate", "warning", "held")),
        together="more restarts",
    ),
    Drill(
        "turn-burn",
        "the language model takes 2 s to its first token",
        _Stage("llm", {"latency_seconds": 2}),
        (
            Expected("VoiceTurnLatencyBurnFast", "critical"),
            Expected("VoiceTurnLatencyBurnTicket", "warning"),
        ),
        scale=0.2,
        together="burns",
    ),
    # Every other turn is about ten times the budget of 5 %: above the limit of the slow burn, below that of the fast one.
    Drill(
        "turn-burn-slow",
        "the language model takes 0.35 to 1.05 s to its first token",
        _Stage("llm", {"latency_seconds": 0.35, "jitter_seconds": 0.7}),
        (Expected("VoiceTurnLatencyBurnSlow", "critical"),),
        scale=0.2,
    ),
    Drill(
        "voice-stopped",
        "the voice service is stopped",
        _stopped,
        (
            Expected("ApiDown", "critical", labels=_VOICE),
            Expected("ServiceUnavailableResponses", "warning", labels=_APP),
            Expected("DependencyDown", "warning", labels={"dependency": "voice"}),
            Expected("EndpointDown", "critical", "held", _VOICE),
            Expected("TargetDown", "warning", "held", _VOICE),
        ),
    ),
    Drill(
        "uptime-burn",
        "the voice service is stopped",
        lambda arena: arena.hands.stop("voice"),
        (Expected("ApiUptimeBurnTicket", "warning", labels=_VOICE),),
        scale=0.2,
    ),
)
