"""What an error event shows of the request or run that it belongs to, and how it is masked before it leaves."""

from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, cast

from app.core import context
from app.core.masking import mask_value

if TYPE_CHECKING:
    from sentry_sdk import Scope
    from sentry_sdk.types import Event

CRUMBS: Final = 30
"""Records before an error that its event shows."""

LONGEST_USER_AGENT: Final = 256
_DEEPEST: Final = 24
"""Levels of an event's structure; frames of chained exceptions are the deepest."""

_NOT_TEXT: Final = ("event_id", "timestamp", "start_timestamp", "release", "sdk", "modules")
"""Parts of an event that hold nothing of a request, and that masking would take for numbers of cards."""


class _Request:
    """What is known besides the log context."""

    __slots__ = ("crumbs", "person", "tags", "user_agent")

    def __init__(self, user_agent: bytes | None) -> None:
        self.crumbs: deque[dict[str, Any]] = deque(maxlen=CRUMBS)
        self.user_agent = user_agent
        self.tags: dict[str, str] = {}
        self.person: dict[str, str] = {}


_request: Final[ContextVar[_Request | None]] = ContextVar("nobet_error_request", default=None)


def begin(user_agent: bytes | None) -> None:
    """Forget what ran before in this context. Before it has been called, everything below does nothing."""
    _request.set(_Request(user_agent))


def add_breadcrumb(category: str, message: str, level: str = "info") -> None:
    """Note a step that an error event of this request shall show."""
    request = _request.get()
    if request is not None:
        request.crumbs.append({"category": category, "message": message, "level": level})


def set_tag(name: str, value: str) -> None:
    """A tag for every later event of this request: user_role, transaction_type="product_purchase" …"""
    request = _request.get()
    if request is not None:
        request.tags[name] = value


def set_person(*, username: str = "", email: str = "") -> None:
    """Name and e-mail of who acts in this request. They leave the process only with SENTRY_SEND_DEFAULT_PII; the id always does."""
    request = _request.get()
    if request is not None:
        request.person = {key: value for key, value in (("username", username), ("email", email)) if value}


def tag(name: str) -> str | None:
    """A tag of this request."""
    request = _request.get()
    return request.tags.get(name) if request is not None else None


def fill(scope: "Scope", tags: dict[str, str], *, with_person: bool) -> None:
    """Ids, tags, user, request and the steps before."""
    fields = context.current()
    request = _request.get() or _Request(None)
    ids = {"event_id": fields.get("request_id"), "trace_id": fields.get("trace_id"), "call_sid": fields.get("call_sid")}
    for key, value in {**ids, **request.tags, **tags}.items():
        if value:
            scope.set_tag(key, value)
    user = {**({"id": fields["user_id"]} if fields.get("user_id") else {}), **(request.person if with_person else {})}
    if user:
        scope.set_user(user)
    if fields.get("method"):
        about: dict[str, Any] = {key: fields[key] for key in ("method", "path") if key in fields}
        about["user_agent"] = (request.user_agent or b"")[:LONGEST_USER_AGENT].decode("utf-8", "replace")
        scope.set_context("request", about)
        scope.set_transaction_name(f"{fields['method']} {fields.get('path')}")
    for crumb in request.crumbs:
        scope.add_breadcrumb(crumb)


def masked(event: "Event", *, with_person: bool) -> "Event":
    """The event with every text masked as in the logs; name and e-mail of the user stay when they are wanted."""
    plain: dict[str, Any] = dict(event)
    kept_names = (*_NOT_TEXT, "user") if with_person else _NOT_TEXT
    kept = {key: plain.pop(key) for key in kept_names if key in plain}
    return cast("Event", {**mask_value(plain, depth=_DEEPEST), **kept})
