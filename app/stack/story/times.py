"""Where the time went: what each span did itself, or, without spans, the longest silence between two records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from app.clients.jaeger import TraceSpan
from app.stack.story.text import moment

MOST_SHARES: Final = 3
SMALLEST_SHARE: Final = 0.05
"""Less than this isn't where the time went."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the whole time: `name` in `service`, its seconds and its share (0 to 1)."""

    name: str
    service: str
    seconds: float
    share: float


def shares(spans: Sequence[TraceSpan]) -> list[Share]:
    """The spans by the time in which none of their children ran, largest first.

    Spans of one name and service count together. The shares refer to the sum of all.
    """
    children: dict[str, list[TraceSpan]] = {}
    for span in spans:
        children.setdefault(span.parent_id, []).append(span)
    own: dict[tuple[str, str], float] = {}
    for span in spans:
        key = (span.name, span.service)
        own[key] = own.get(key, 0.0) + _self_time(span, children.get(span.span_id, ())) / 1e6
    total = sum(own.values())
    if not total:
        return []
    ordered = sorted(own.items(), key=lambda item: -item[1])
    found = [Share(name, service, seconds, seconds / total) for (name, service), seconds in ordered]
    return [share for share in found if share.share >= SMALLEST_SHARE][:MOST_SHARES]


def longest_silence(records: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any], float] | None:
    """The two neighbours in time with the longest pause between them, and its seconds; None with fewer than two records."""
    pairs = [(before, after, moment(after) - moment(before)) for before, after in pairwise(records)]
    return max(pairs, key=lambda pair: pair[2]) if pairs else None


def _self_time(span: TraceSpan, children: Iterable[TraceSpan]) -> int:
    """Microseconds of a span that no child covers. Children may overlap, and outlast their parent."""
    end = span.start + span.duration
    covered, reached = 0, span.start
    for child in sorted(children, key=lambda child: child.start):
        start, stop = max(child.start, reached), min(child.start + child.duration, end)
        if stop > start:
            covered += stop - start
            reached = stop
    return max(0, span.duration - covered)
