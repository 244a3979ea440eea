"""The tracked events: what people do with the product, each with the reason why it is worth a row.

Names are those of the product's analytics (`login`); log events have names of
their own (`user_login`), and `docs/events.md` links the two. A property is declared
once, so that it has one type in every event and in both stores. What isn't
declared here is never stored: the list is the first guard of people's privacy.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

PropertyType = Literal["id", "word", "integer", "number", "boolean"]
"""`id` and `word` are at most 64 letters, digits and `._:/-` without spaces, so that no sentence and no e-mail address fits; a word
has no long run of digits either. Numbers are at most a thousand million, which is less than a telephone number."""

PROPERTIES: Final[dict[str, tuple[PropertyType, str]]] = {
    "app_version": ("word", "Version of the client."),
    "channel": ("word", "Way of a notification: push, mail."),
    "chat_id": ("id", "The chat, as an opaque id."),
    "comment_length": ("integer", "Characters of the comment; never its text."),
    "duration_ms": ("number", "How long it took, in milliseconds."),
    "error_code": ("word", "Code that the failing service gave."),
    "message_length": ("integer", "Characters of the message; never its text."),
    "method": ("word", "How it was done: password, refresh, card."),
    "model": ("word", "The model that was used, such as gpt-4 or flux."),
    "outcome": ("word", "success or failure."),
    "platform": ("word", "web, android, ios."),
    "post_id": ("id", "The post."),
    "reason": ("word", "Why, as a short name."),
    "size": ("word", "Size of the picture, such as 1024x1024."),
    "status_code": ("integer", "HTTP status that the client saw."),
}
"""Type and meaning of each property."""

COMMON: Final = ("platform", "app_version")
"""Properties that every event may have."""

SOURCES: Final = ("backend", "web", "mobile")
"""Who noticed it. The same name from two sources is two observations; count one source, or distinct `request_id`."""

Priority = Literal["critical", "normal"]


@dataclass(frozen=True, slots=True)
class TrackedType:
    """One event: why it is tracked, what it may carry, and whether it is kept longest when room gets scarce."""

    name: str
    reason: str
    own: tuple[str, ...] = ()
    priority: Priority = "normal"
    log_event: str = ""
    """The log event about the same thing, where there is one."""

    @property
    def properties(self) -> tuple[str, ...]:
        """Everything that it may carry."""
        return self.own + COMMON


TRACKED: Final[dict[str, TrackedType]] = {
    tracked.name: tracked
    for tracked in (
        TrackedType("login_started", "Start of the login flow; with `login` it gives the time that people wait.", ("method",)),
        TrackedType(
            "login", "Who uses the product, and whether they get in.", ("method", "outcome", "duration_ms"), "critical", "user_login"
        ),
        TrackedType("session_expired", "People who are thrown out come back less.", ("reason",), "critical", "token.expired"),
        TrackedType(
            "feed_load_failed", "The first screen failed: the worst for a visitor.", ("reason", "status_code"), "critical", "feed.failed"
        ),
        TrackedType(
            "suggestion_unavailable", "A feature was missing when it was wanted.", ("reason", "error_code"), "critical", "suggestion.failed"
        ),
        TrackedType("chat_start", "Use of the chat, by model.", ("chat_id", "model")),
        TrackedType("message_sent", "Use of the chat: how many messages, how long.", ("chat_id", "message_length", "model")),
        TrackedType("message_delivered", "End of a message's way; without it a chat looks dead.", ("chat_id", "duration_ms")),
        TrackedType("notification_not_received", "A promise to the user that was not kept.", ("channel", "reason"), "critical"),
        TrackedType("image_generated", "Use and cost of pictures, by model and size.", ("model", "size", "duration_ms")),
        TrackedType("post_started", "Start of writing a post; with `post_created` it shows who gives up.", ()),
        TrackedType("post_created", "People who give, not only take.", ("post_id", "duration_ms"), "critical", "post.created"),
        TrackedType("comment_submitted", "Conversation under posts.", ("post_id", "comment_length")),
        TrackedType("payment_started", "Start of a payment; with `payment` it shows who gives up.", ("method",), "critical"),
        TrackedType("payment", "Income, and payments that fail.", ("method", "outcome", "duration_ms", "error_code"), "critical"),
    )
}
"""Every event that is tracked. Anything else is refused and counted."""


def event_mappings(keyword: dict[str, Any], date: dict[str, Any]) -> dict[str, Any]:
    """Field mappings of an events index: one field for each property, so that lengths and durations can be averaged."""
    of_type: dict[PropertyType, dict[str, Any]] = {
        "id": keyword,
        "word": keyword,
        "integer": {"type": "long"},
        "number": {"type": "double"},
        "boolean": {"type": "boolean"},
    }
    return {
        "dynamic": False,
        "properties": {
            "timestamp": date,
            "id": keyword,
            "event_type": keyword,
            "priority": keyword,
            "source": keyword,
            "service_name": keyword,
            "user_ref": keyword,
            "key_id": keyword,
            "request_id": keyword,
            "properties": {"dynamic": False, "properties": {name: of_type[kind] for name, (kind, _) in PROPERTIES.items()}},
            "@timestamp": {"type": "alias", "path": "timestamp"},
            "correlation_id": {"type": "alias", "path": "request_id"},
        },
    }
