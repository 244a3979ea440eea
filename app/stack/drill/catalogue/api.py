"""What users of the API notice: errors, slowness, refusals."""

import time
from typing import Final

from app.stack.drill.arena import Arena
from app.stack.drill.model import Drill, Expected
from app.stack.drill.traffic import Visitor

_APP: Final = {"service": "app"}
_WRONG_TOKEN: Final = {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmVkIGJ5IG5vYm9keQ"}
_BURN_SCALE: Final = 0.2
"""The longest short window of a burn alert is six hours; nobody waits for it to pass."""


def _crashes(arena: Arena) -> None:
    arena.visit(lambda visitor: visitor.get("/crash"), 8, 2)


def _few_crashes(arena: Arena) -> None:
    def visit(visitor: Visitor) -> None:
        visitor.get("/crash" if visitor.every(30) else "/feed")

    arena.visit(visit, 15, 3)


class _Slow:
    """The service next door takes its time."""

    def __init__(self, seconds: float) -> None:
        self._seconds: Final = seconds

    def __call__(self, arena: Arena) -> None:
        arena.hands.turn({"latency_seconds": self._seconds})
        arena.visit(Visitor.suggest, 20, 8)


def _refused(arena: Arena) -> None:
    def visit(visitor: Visitor) -> None:
        visitor.get("/api/profile", headers=_WRONG_TOKEN)
        visitor.post("/api/auth/login", {"username": f"nobody-{visitor.number}", "password": "not-the-right-one"})

    arena.visit(visit, 10, 2)


def _crash_loop(arena: Arena) -> None:
    arena.repeat(lambda: arena.hands.kill_when_ready("cleanup"), 1)


def _stutter(arena: Arena) -> None:
    members = arena.hands.pause("app")

    def breathe() -> None:
        for action in ("resume", "suspend"):
            for member in members:
                getattr(member, action)()
            time.sleep(0.3 if action == "resume" else 0)

    arena.repeat(breathe, 1)


API: Final = (
    Drill(
        "crashes",
        "every other request ends in an exception",
        _crashes,
        (Expected("HighErrorRate", "critical", labels=_APP),),
        together="errors",
    ),
    Drill(
        "few-crashes",
        "one request of thirty ends in an exception",
        _few_crashes,
        (Expected("ErrorRateElevated", "warning", labels=_APP),),
        together="few errors",
    ),
    Drill(
        "slow",
        "an endpoint waits two seconds for the service next door",
        _Slow(2),
        (Expected("SlowResponse", "warning", labels=_APP),),
        together="slow",
    ),
    Drill(
        "very-slow",
        "an endpoint waits seven seconds for the service next door",
        _Slow(7),
        (Expected("ResponseTimeCritical", "critical", labels=_APP), Expected("SlowResponse", "warning", "held", _APP)),
        scale=2.0,
    ),
    Drill(
        "refusals",
        "tokens that nobody signed, and wrong passwords",
        _refused,
        (Expected("AuthTokenErrors", "warning", labels=_APP), Expected("FailedLogins", "warning", labels=_APP)),
        together="calm",
    ),
    Drill(
        "stutter",
        "the app's processes get no processor for more than a second, again and again (SIGSTOP)",
        _stutter,
        (Expected("EventLoopLagHigh", "warning", labels=_APP),),
    ),
    Drill(
        "crash-loop",
        "a process is killed with -9 as soon as it is up",
        _crash_loop,
        (Expected("CrashLooping", "critical", labels={"service": "cleanup"}),),
        scale=5.0,
        together="long windows",
    ),
    Drill(
        "error-burn",
        "every other request ends in an exception",
        _crashes,
        (
            Expected("ApiErrorBudgetBurnFast", "critical"),
            Expected("ApiErrorBudgetBurnSlow", "critical"),
            Expected("ApiErrorBudgetBurnTicket", "warning"),
            Expected("ApiErrorLimitBurnTicket", "warning"),
        ),
        scale=_BURN_SCALE,
        together="burns",
    ),
    Drill(
        "latency-burn",
        "an endpoint waits two seconds for the service next door",
        _Slow(2),
        (
            Expected("ApiLatencyBudgetBurnFast", "critical"),
            Expected("ApiLatencyBudgetBurnSlow", "critical"),
            Expected("ApiLatencyBudgetBurnTicket", "warning"),
            Expected("ApiLatencyMedianBurnTicket", "warning"),
            Expected("ApiLatencyHalfSecondBurnTicket", "warning"),
            Expected("ApiLatencySecondBurnTicket", "warning"),
        ),
        scale=_BURN_SCALE,
        together="burns",
    ),
)
