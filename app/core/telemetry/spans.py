"""The spans of a trace."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """One span name and what it measures."""

    name: str
    meaning: str


SPANS: Final[dict[str, Span]] = {
    span.name: span
    for span in (
        Span("http.server", "A request in one of our services; renamed to METHOD /route when the route is known."),
        Span("feed.load", "Reading the feed in the service layer."),
        Span("db.query", "One database query."),
        Span("suggestion.fetch", "Asking the suggestion service, from the caller's side."),
        Span("suggestion.compute", "Making suggestions, in the voice service."),
    )
}
