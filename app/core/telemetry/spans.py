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
        Span("graphql.operation", "Executing a GraphQL operation."),
        Span("image.generate", "Making an image in the service layer."),
        Span("chat.message", "Taking a chat message, until it is handed to all who read along."),
        Span("db.query", "One database query."),
        Span("suggestion.fetch", "Asking the suggestion service, from the caller's side."),
        Span("call.turn", "A turn of a voice call, from the end of the user's speech to the end of the answer."),
        Span("asr_processing", "Speech recognition, from the caller's side."),
        Span("llm_call", "The language model, from the question to its last token; ttft_ms is the time to the first."),
        Span("tts_processing", "Speech synthesis, from the caller's side."),
        Span("task_execution", "A business task, from the caller's side."),
        Span("asr.transcribe", "Speech recognition, in the voice service."),
        Span("llm.generate", "The language model, in the voice service."),
        Span("tts.synthesize", "Speech synthesis, in the voice service."),
        Span("task.execute", "A business task, in the voice service."),
        Span("suggestion.compute", "Making suggestions, in the voice service."),
    )
}
