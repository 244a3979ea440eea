"""Traces: W3C context in and out, spans made by hand, and only for sampled requests.

Every request has a trace id, also when it isn't sampled or no trace store is
set, so that logs of several services can be joined by it. A span costs
something only when its request is sampled.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, set_span_in_context

from app.core import context, metrics
from app.core.config import Settings
from app.core.logger import get_logger
from app.core.masking import clean, mask_text
from app.core.records import printable
from app.core.telemetry.spans import SPANS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

EXPORT_TIMEOUT_SECONDS: Final = 5
"""Time limit of one export; the store being away must not fill the memory or hold up the end of the process."""

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")

log = get_logger(__name__)
_active: Final[ContextVar["trace.Span | None"]] = ContextVar("nobet_span", default=None)


@dataclass(slots=True)
class RequestTrace:
    """The trace that a request belongs to, and its span when it is sampled."""

    trace_id: str
    span_id: str
    span: trace.Span | None

    @property
    def sampled(self) -> bool:
        """Whether spans of this request are recorded."""
        return self.span is not None


Mirror = Callable[[str, Mapping[str, str | float | bool]], AbstractContextManager[None]]
"""Is entered with the name and attributes of each span, and left at its end."""


class _Tracer:
    """The process's tracer. Off until `setup` gives it a store."""

    def __init__(self) -> None:
        self.provider: TracerProvider | None = None
        self.tracer: trace.Tracer | None = None
        self.rate = 0.0
        self.mirror: Mirror | None = None


_state: Final = _Tracer()


class SpanHandle:
    """What `span` gives: takes attributes, and does nothing when the request isn't sampled."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span | None) -> None:
        self._span = span

    def set(self, key: str, value: str | float | bool) -> None:
        """Add an attribute; texts are masked."""
        if self._span is not None:
            self._span.set_attribute(key, clean(value) if isinstance(value, str) else value)


_NO_SPAN: Final = SpanHandle(None)


def setup(settings: Settings, service: str) -> None:
    """Send spans to the store of the settings; without one, only ids are made."""
    shutdown()
    _state.rate = settings.effective_trace_sample_rate
    endpoint = settings.otel_exporter_otlp_endpoint
    if not endpoint:
        return
    from app.core.trace_export import make_provider  # only here: a service without a trace store doesn't carry the SDK

    provider = make_provider(settings, service, EXPORT_TIMEOUT_SECONDS)
    _state.provider, _state.tracer = provider, provider.get_tracer("nobet")


def shutdown() -> None:
    """Send what is pending, for a bounded time."""
    provider, _state.provider, _state.tracer = _state.provider, None, None
    if provider is not None:
        thread = threading.Thread(target=provider.shutdown, daemon=True)
        thread.start()
        thread.join(EXPORT_TIMEOUT_SECONDS)


def begin(traceparent: str | None, method: str, path: str) -> RequestTrace:
    """Take part in the caller's trace, or start one. The caller's sampling decision is kept."""
    parent = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if parent and (parent[1] == "0" * 32 or parent[2] == "0" * 16):
        parent = None
    sampled = _state.tracer is not None and (int(parent[3], 16) & 1 == 1 if parent else context.random_bits(32) < _state.rate * 2**32)
    if not sampled or _state.tracer is None:
        _active.set(None)
        return RequestTrace(parent[1] if parent else f"{context.random_bits(128) or 1:032x}", f"{context.random_bits(64) or 1:016x}", None)
    remote = trace.INVALID_SPAN
    if parent:
        caller = SpanContext(int(parent[1], 16), int(parent[2], 16), is_remote=True, trace_flags=TraceFlags(1))
        remote = NonRecordingSpan(caller)
    span = _state.tracer.start_span(
        SPANS["http.server"].name,
        context=set_span_in_context(remote),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": method, "url.path": path},
    )
    _active.set(span)
    ids = span.get_span_context()
    return RequestTrace(f"{ids.trace_id:032x}", f"{ids.span_id:016x}", span)


def end(request: RequestTrace, name: str, attributes: Mapping[str, str | int], error: BaseException | None, *, failed: bool) -> None:
    """Close a request's span under its final name."""
    span = request.span
    _active.set(None)
    if span is None:
        return
    span.update_name(name)
    span.set_attributes(dict(attributes))
    if error is not None:
        _record(span, error)
    elif failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def mirror(other: Mirror | None) -> None:
    """Show every span to somebody else as well, sampled or not; None ends that."""
    _state.mirror = other


def span(name: str, **attributes: str | float | bool) -> AbstractContextManager[SpanHandle]:
    """A span around a block, named as declared in the telemetry contract. An exception marks it and goes on."""
    return _span(name, attributes) if _state.mirror is None else _mirrored(_state.mirror, name, attributes)


@contextmanager
def _mirrored(other: Mirror, name: str, attributes: Mapping[str, str | float | bool]) -> Iterator[SpanHandle]:
    with other(name, attributes), _span(name, attributes) as handle:
        yield handle


@contextmanager
def _span(name: str, attributes: Mapping[str, str | float | bool]) -> Iterator[SpanHandle]:
    parent, tracer = _active.get(), _state.tracer
    if parent is None or tracer is None:
        yield _NO_SPAN
        return
    made = tracer.start_span(SPANS[name].name, context=set_span_in_context(parent))
    handle = SpanHandle(made)
    for key, value in attributes.items():
        handle.set(key, value)
    if call_sid := context.current().get("call_sid"):
        made.set_attribute("call_sid", call_sid)
    token = _active.set(made)
    outer = context.current().get("span_id")
    context.bind(span_id=f"{made.get_span_context().span_id:016x}")
    try:
        yield handle
    except BaseException as error:
        _record(made, error)
        raise
    finally:
        made.end()
        _active.reset(token)
        context.bind(span_id=outer)


def observe(name: str, value: float) -> None:
    """Observe a value of a histogram without labels; the present trace, when it is sampled, becomes its exemplar."""
    metrics.histogram(name).observe(value)
    if (active := _active.get()) is not None:
        metrics.remember_exemplar(name, value, f"{active.get_span_context().trace_id:032x}")


def outgoing_headers() -> dict[str, str]:
    """The headers that carry request id, voice call and trace to the next service."""
    fields = context.current()
    headers = {}
    if ident := fields.get("request_id"):
        headers["X-Request-ID"] = str(ident)
    if call_sid := fields.get("call_sid"):
        headers["X-Call-SID"] = str(call_sid)
    if trace_id := fields.get("trace_id"):
        headers["traceparent"] = f"00-{trace_id}-{fields.get('span_id') or '0' * 15 + '1'}-{'01' if _active.get() is not None else '00'}"
    return headers


def _record(span: trace.Span, error: BaseException) -> None:
    """Class and masked message of an exception; no stack, since its lines may hold values."""
    message = mask_text(printable(error))
    span.add_event("exception", {"exception.type": type(error).__name__, "exception.message": message})
    span.set_status(Status(StatusCode.ERROR, message))
