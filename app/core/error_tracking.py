"""Error events for a Sentry-compatible server: captured where errors happen, masked, one per error.

The SDK's web integration would wrap every request; here the middleware and the
ERROR records hand errors over instead, so that a request without an error costs
nothing. Without a DSN nothing is started and no connection made.
"""

from collections import deque
from contextvars import ContextVar
from typing import Any, Final, Literal, cast

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.transport import HttpTransport
from sentry_sdk.types import Event, Hint

from app.core import context, metrics
from app.core.config import Settings, parse_status_ranges
from app.core.masking import mask_value
from app.core.pipeline import observe

CRUMBS: Final = 30
"""Records before an error that its event shows."""

SHUTDOWN_SECONDS: Final = 2
"""Time that a stopping process gives pending events."""

SentryLevel = Literal["fatal", "critical", "error", "warning", "info", "debug"]

_crumbs: Final[ContextVar[deque[dict[str, Any]] | None]] = ContextVar("nobet_crumbs", default=None)
_user_agent: Final[ContextVar[bytes | None]] = ContextVar("nobet_user_agent", default=None)
_tags: Final[ContextVar[dict[str, str] | None]] = ContextVar("nobet_tags", default=None)
LONGEST_USER_AGENT: Final = 256
_REPORTED: Final = "__nobet_reported__"
_ERROR: Final = 40


class _State:
    enabled = False
    failed_codes: frozenset[int] = frozenset()


class _CountedTransport(HttpTransport):
    """Counts events that could not be delivered."""

    def record_lost_event(self, reason: str, data_category: Any = None, item: Any = None, *, quantity: int = 1) -> None:
        if data_category == "error" or (item is not None and getattr(item, "data_category", "") == "error"):
            metrics.counter("telemetry_dropped_total").labels(signal="error_event").inc()
        super().record_lost_event(reason, data_category, item, quantity=quantity)


def setup(settings: Settings, service: str) -> None:
    """Start error tracking when a DSN is set."""
    dsn = settings.sentry_dsn.get_secret_value()
    _State.failed_codes = parse_status_ranges(settings.sentry_failed_status_codes)
    _State.enabled = bool(dsn) and (settings.sentry_in_development or settings.environment != "development")
    if not _State.enabled:
        observe(None)
        return
    sentry_sdk.init(
        dsn=dsn,
        environment=settings.environment,
        release=f"{settings.app_name}@{settings.app_version}",
        sample_rate=settings.sentry_sample_rate,
        traces_sample_rate=settings.sentry_traces_sample_rate or None,
        profiles_sample_rate=settings.sentry_profiles_sample_rate or None,
        data_collection={"user_info": settings.sentry_send_default_pii, "http_bodies": [], "stack_frame_variables": False},
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[DedupeIntegration(), AtexitIntegration(callback=lambda _pending, _timeout: None)],
        include_source_context=True,
        max_breadcrumbs=CRUMBS,
        shutdown_timeout=SHUTDOWN_SECONDS,
        before_send=_before_send,
        transport=_CountedTransport,
    )
    sentry_sdk.set_tag("service", service)
    observe(_on_record)


def begin_request(user_agent: bytes | None) -> None:
    """Forget the records of whatever ran before in this context, and note what the client calls itself."""
    if _State.enabled:
        _crumbs.set(deque(maxlen=CRUMBS))
        _user_agent.set(user_agent)
        _tags.set({})


def is_reported_status(status: int) -> bool:
    """Whether an answer with this status is an error event by the settings."""
    return _State.enabled and status in _State.failed_codes


def capture_exception(error: BaseException, **tags: str) -> None:
    """Report an exception; a second report of it, or of one that it caused, is left out."""
    if _State.enabled and not _was_reported(error):
        _mark(error)
        with sentry_sdk.new_scope() as scope:
            _fill(scope, tags)
            sentry_sdk.capture_exception(error)


def capture_message(text: str, level: SentryLevel = "error", **tags: str) -> None:
    """Report something that is no exception."""
    if _State.enabled:
        with sentry_sdk.new_scope() as scope:
            _fill(scope, tags)
            sentry_sdk.capture_message(text, level=level)


def add_breadcrumb(category: str, message: str, level: str = "info") -> None:
    """Note a step that an error event of this request shall show."""
    crumbs = _crumbs.get()
    if crumbs is not None:
        crumbs.append({"category": category, "message": message, "level": level})


def set_tag(name: str, value: str) -> None:
    """Put a tag on every later error event of this request, and on nothing else: no record has it."""
    tags = _tags.get()
    if tags is not None:
        tags[name] = value


def shutdown() -> None:
    """Send what is pending, for a bounded time, and stop."""
    if _State.enabled:
        _State.enabled = False
        observe(None)
        sentry_sdk.get_client().close(timeout=SHUTDOWN_SECONDS)


def _on_record(level: int, record: dict[str, Any], error: BaseException | None) -> None:
    """Records from INFO up become breadcrumbs, from ERROR up events. Request records are the middleware's."""
    if level >= _ERROR:
        if error is not None:
            capture_exception(error, logger=record["logger"])
        elif not str(record.get("event", "")).startswith("http.request."):
            capture_message(record["message"], logger=record["logger"], event=str(record.get("event", "")))
    else:
        add_breadcrumb(record["logger"], record["message"], record["log_level"])


def _fill(scope: sentry_sdk.Scope, tags: dict[str, str]) -> None:
    fields = context.current()
    ident = fields.get("request_id")
    known = {"event_id": ident, "trace_id": fields.get("trace_id"), "call_sid": fields.get("call_sid"), **(_tags.get() or {}), **tags}
    for key, value in known.items():
        if value:
            scope.set_tag(key, value)
    if fields.get("user_id"):
        scope.set_user({"id": fields["user_id"]})
    if fields.get("method"):
        request: dict[str, Any] = {key: fields[key] for key in ("method", "path") if key in fields}
        request["user_agent"] = (_user_agent.get() or b"")[:LONGEST_USER_AGENT].decode("utf-8", "replace")
        scope.set_context("request", request)
        scope.set_transaction_name(f"{fields['method']} {fields.get('path')}")
    for crumb in _crumbs.get() or ():
        scope.add_breadcrumb(crumb)


def _before_send(event: Event, _hint: Hint) -> Event | None:
    metrics.counter("telemetry_sent_total").labels(signal="error_event").inc()
    plain: dict[str, Any] = dict(event)
    kept = {key: plain.pop(key) for key in ("event_id", "timestamp", "release", "sdk", "modules") if key in plain}
    return cast("Event", {**mask_value(plain, depth=24), **kept})


def _was_reported(error: BaseException) -> bool:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if getattr(current, _REPORTED, False):
            return True
        seen.add(id(current))
        current = current.__cause__ or current.__context__
    return False


def _mark(error: BaseException) -> None:
    try:
        setattr(error, _REPORTED, True)
    except AttributeError:  # an exception class with __slots__ and no __dict__: reported twice at worst
        return
