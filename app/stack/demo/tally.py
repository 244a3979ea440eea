"""The count of what came back, and the ids worth a look."""

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

KEPT_LATENCIES: Final = 5000
NO_ANSWER: Final = "no answer"

ALWAYS_WORTH: Final[Mapping[str, tuple[str, ...]]] = {"suggest": ("200",), "call": ("200",), "image": ("201",), "profile": ("200",)}
"""Successes that are a story to look at: through two services, a whole call, or several calls under one id."""


@dataclass(slots=True)
class Answer:
    """What came of one request, message or connection."""

    kind: str
    ident: str
    outcome: str
    """HTTP status, WebSocket close code, or NO_ANSWER."""
    seconds: float
    intended: bool
    """Whether it is what this visitor should get: 401 for a wrong password is."""


@dataclass(slots=True)
class Tally:
    """What happened so far."""

    started: float = field(default_factory=time.monotonic)
    requests: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_LATENCIES))
    remarkable: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    """Kind of visitor → outcome → how often."""
    unintended: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Kind and outcome of what should not have been answered so."""
    mood: str = "all well"
    notes: list[str] = field(default_factory=list)
    """Sentences that are still to be said."""

    def add(self, answer: Answer) -> None:
        """Count an answer, and keep the newest id of each kind worth a look."""
        self.requests += 1
        self.classes[_class_of(answer.outcome)] += 1
        self.latencies.append(answer.seconds)
        self.kinds.setdefault(answer.kind, Counter())[answer.outcome] += 1
        if not answer.intended:
            self.unintended[answer.kind, answer.outcome] += 1
        if not answer.intended or answer.outcome[0] not in "23" or answer.outcome in ALWAYS_WORTH.get(answer.kind, ()):
            self.remarkable[f"{answer.kind}, {answer.outcome}"] = answer.ident

    @property
    def p95(self) -> float:
        """Milliseconds; 0 before the first answer."""
        ordered = sorted(self.latencies)
        return ordered[int(len(ordered) * 0.95)] * 1000 if ordered else 0.0

    def line(self) -> str:
        """The progress line: what happens now, and counts by outcome."""
        rate = self.requests / max(time.monotonic() - self.started, 0.001)
        shown = "  ".join(f"{name} {count}" for name, count in sorted(self.classes.items()))
        surprises = f"  unexpected {self.unintended.total()}" if self.unintended else ""
        return f"now: {self.mood}  {self.requests} requests  {rate:.1f}/s  {shown}{surprises}  p95 {self.p95:.0f} ms"


def _class_of(outcome: str) -> str:
    """`2xx` for HTTP, `ws 1000` for a WebSocket's close code."""
    if outcome == NO_ANSWER:
        return outcome
    return f"{outcome[0]}xx" if len(outcome) == 3 else f"ws {outcome}"
