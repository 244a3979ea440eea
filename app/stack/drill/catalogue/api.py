"""What users of the API notice: errors, slowness, refusals."""

import time
from typing import Final

from app.stack.drill.arena import Arena
from app.stack.drill.model import Drill, Expected
from app.stack.drill.traffic import Visitor

_APP: Final = {"service": "app"}
_SUGGEST: Final = {**_APP, "endpoint": "/suggest"}
"""The endpoint that is slow; the voice turns of the ordinary traffic are now and then, too."""
_WRONG_TOKEN: Final = {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmVkIGJ5IG5vYm9keQ"}
_BURN_SCALE: Final = 0.2
"""The longest short window of a burn alert is six hours; nobody waits for it to pass."""


def _crashes(arena: Arena) -> None:
    arena.visit(lambda visitor: visitor.get("/crash"), 8, 2)


class _FewCrashes:
    """One request of so many ends in an exception."""

    def __init__(self, of: int, per_second: float = 15) -> None:
        self._of: Final = of
        self._per_second: Final = per_second

    def __call__(self, arena: Arena) -> None:
        arena.visit(lambda visitor: visitor.get("/crash" if visitor.every(self._of) else "/feed"), self._per_second, 3)


class _Slow:
    """The service next door takes its time, and one request of so many needs it."""

    def __init__(self, seconds: float, of: int = 1, threads: int = 8) -> None:
        self._seconds: Final = seconds
        self._of: Final = of
        self._threads: Final = threads

    def __call__(self, arena: Arena) -> None:
        arena.hands.turn({"latency_seconds": self._seconds})
        arena.visit(lambda visitor: visitor.suggest() if visitor.every(self._of) else visitor.get("/feed"), 20, self._threads)


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
        _FewCrashes(of=30),
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
        (Expected("ResponseTimeCritical", "critical", labels=_APP), Expected("SlowResponse", "warning", "held", _SUGGEST)),
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
    # A page of a budget stays silent after a page that says the same sooner. So these stay below the limits of the others:
    # errors below HighErrorRate, and the slow burn below the fast one, at 6 to 14 times the budget.
    Drill(
        "error-burn",
        "one request of 25 ends in an exception",
        _FewCrashes(of=25),
        (
            Expected("ApiErrorBudgetBurnFast", "critical"),
            Expected("ApiErrorBudgetBurnTicket", "warning"),
            Expected("ApiErrorLimitBurnTicket", "warning"),
        ),
        scale=_BURN_SCALE,
        together="burns",
    ),
    Drill(
        "error-burn-slow",
        "one request of ninety ends in an exception",
        _FewCrashes(of=90, per_second=30),  # enough of them that each short window has its share
        (Expected("ApiErrorBudgetBurnSlow", "critical"),),
        scale=_BURN_SCALE,
    ),
    Drill(
        "latency-burn",
        "nearly every request waits two seconds for the service next door",
        _Slow(2, threads=40),
        (
            Expected("ApiLatencyBudgetBurnFast", "critical"),
            Expected("ApiLatencyBudgetBurnTicket", "warning"),
            Expected("ApiLatencyHalfSecondBurnTicket", "warning"),
            Expected("ApiLatencySecondBurnTicket", "warning"),
        ),
        scale=_BURN_SCALE,
    ),
    # Half of the answers may be slow, so the budget can be used up twice as quickly at most: only the mean of three days tells.
    Drill(
        "latency-median",
        "for long, nearly every request waits two seconds for the service next door",
        _Slow(2, threads=40),
        (Expected("ApiLatencyMedianBurnTicket", "warning"),),
        scale=_BURN_SCALE / 10,
    ),
    Drill(
        "latency-burn-slow",
        "every other request waits 0.6 s for the service next door",
        _Slow(0.6, of=2, threads=10),
        (Expected("ApiLatencyBudgetBurnSlow", "critical"),),
        scale=_BURN_SCALE,
    ),
)
