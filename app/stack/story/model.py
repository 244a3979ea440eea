"""What a story is made of."""

from dataclasses import dataclass, field
from typing import Any, Final

from app.clients.error_tracker import ErrorEvent
from app.clients.jaeger import TraceSpan
from app.clients.log_search import Found
from app.clients.prometheus import FiredAlert
from app.stack.story.verdict import Verdict

MOST_TRACES: Final = 20
"""Traces that are fetched for one story; a call of many turns may have more."""


@dataclass(slots=True)
class Trace:
    """A trace of the story: its spans, or why there are none."""

    trace_id: str
    spans: list[TraceSpan] = field(default_factory=list)
    problem: str = ""

    @property
    def seconds(self) -> float:
        """From the start of its first span to the end of its last."""
        if not self.spans:
            return 0.0
        begin = min(span.start for span in self.spans)
        return (max(span.start + span.duration for span in self.spans) - begin) / 1e6


@dataclass(slots=True)
class Story:
    """All that is known about an id."""

    ident: str
    found: Found
    traces: list[Trace] = field(default_factory=list)
    more_traces: int = 0
    """Traces beyond MOST_TRACES."""
    error_events: list[ErrorEvent] = field(default_factory=list)
    tracked: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[FiredAlert] = field(default_factory=list)
    verdict: Verdict | None = None
    problems: list[str] = field(default_factory=list)
    """Stores that could not be asked, one sentence each."""
