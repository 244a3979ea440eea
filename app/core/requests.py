"""What the middleware keeps about a request, and how its end is written down: once, as record, metrics and span."""

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any, Final, NamedTuple

from starlette.routing import Route

from app.core import context, error_tracking, error_transactions, metrics, tracing
from app.core.lines import Repeated
from app.core.logger import ERROR, INFO, WARNING, get_logger
from app.core.pipeline import PIPELINE
from app.core.quick_metrics import Add, adder, observer

UNMATCHED: Final = "unmatched"
"""Endpoint of every path that no route knows, so that strangers can't make series."""

OTHER_METHOD: Final = "OTHER"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SOCKET: Final = "WEBSOCKET"
"""Stands for the method of a WebSocket, which has none."""

INTERNAL_PATHS: Final = frozenset({"/metrics", "/metrics/", "/health", "/health/", "/health/live", "/health/ready", "/api/health"})
"""Paths of probes and scrapes: they must not distort the statistics of what users do."""

OUTCOME_EVENTS: Final = {
    "completed": "http.request.completed",
    "failed": "http.request.failed",
    "cancelled": "http.request.cancelled",
    "timed_out": "http.request.timed_out",
}

SWEEP_SECONDS: Final = 0.5
"""How often requests are looked over for their time limit; the limit is exact to this much."""

log = get_logger("app.request")

Scope = MutableMapping[str, Any]


class Request:
    """One HTTP request on its way."""

    # Defaults stand in the class: what nothing happens to costs nothing.
    status = 0
    bytes = 0
    first_byte = 0.0
    """When the answer's head was handed to the server, on the clock of `started`; 0 before."""
    place: str | None = None
    """Where a request without an answer was when it was ended."""
    reason: str | None = None
    """Why it was."""
    outcome = "completed"
    error: BaseException | None = None
    task: asyncio.Task[Any] | None = None

    def __init__(self, scope: Scope, method: str, path: str, trace: tracing.RequestTrace) -> None:
        self.scope = scope
        self.method = method
        self.path = path
        self.trace = trace
        self.internal = path in INTERNAL_PATHS
        self.started = time.perf_counter()
        self.transaction = None if self.internal or method == SOCKET else error_transactions.begin(method, path)

    @property
    def answered(self) -> bool:
        """Whether the answer has begun, so that no other can be sent."""
        return self.status != 0


class RequestWatch:
    """Cancels requests that have no answer after their time limit."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[int, Request] = {}

    def enter(self, request: Request) -> None:
        """Begin to watch."""
        if self._seconds:
            request.task = asyncio.current_task()
            self._running[id(request)] = request

    def leave(self, request: Request) -> None:
        """Watch no longer."""
        self._running.pop(id(request), None)

    def sweep(self) -> None:
        """Cancel what is overdue."""
        limit = time.perf_counter() - self._seconds
        for request in list(self._running.values()):
            if request.started < limit and not request.answered and request.outcome != "timed_out" and request.task is not None:
                request.outcome = "timed_out"
                request.task.cancel()

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()


class _Series(NamedTuple):
    """What the end of a request moves, found once for each method, endpoint and status."""

    add: Add
    observe: Add
    observe_first_byte: Add
    add_bytes: Add
    ended: Repeated | None
    """Its record where nothing went wrong; for the methods that are known, since that of others names them."""


class Recorder:
    """Writes the end of each request down."""

    def __init__(self) -> None:
        self._total = metrics.counter("http_requests_total")
        self._errors = metrics.counter("http_requests_errors_total")
        self._exceptions = metrics.counter("http_exceptions_total")
        self._duration = metrics.histogram("http_request_duration_seconds")
        self._first_byte = metrics.histogram("http_time_to_first_byte_seconds")
        self._size = metrics.counter("http_response_size_bytes_total")
        self._series: dict[tuple[str, str, int], _Series] = {}
        self._static: dict[int, frozenset[str]] = {}

    def finish(self, request: Request) -> None:
        """Record, metrics and span of a request that is over."""
        seconds = time.perf_counter() - request.started
        status = 500 if request.outcome == "failed" else request.status or 499
        endpoint = self.endpoint(request.scope)
        usual = None if request.internal else self._measure(request, endpoint, status, seconds)
        if usual is None or request.outcome != "completed" or not log.write_repeated(usual, _milliseconds(seconds), request.bytes):
            self._log(request, endpoint, status, seconds)
        if request.trace.sampled:
            attributes: dict[str, str | int] = {
                "http.route": endpoint,
                "http.response.status_code": status,
                "request_id": context.request_id() or "",
            }
            if call_sid := context.current().get("call_sid"):
                attributes["call_sid"] = call_sid
            tracing.end(request.trace, f"{request.method} {endpoint}", attributes, request.error, failed=status >= 500)
        if request.transaction is not None:
            request.transaction.end(endpoint, request.method, status)

    def _measure(self, request: Request, endpoint: str, status: int, seconds: float) -> Repeated | None:
        """Count it; gives the record of its usual end."""
        method = request.method if request.method in METHODS else OTHER_METHOD
        key = (method, endpoint, status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(
                adder(self._total.labels(method, endpoint, str(status))),
                observer(self._duration.labels(endpoint)),
                observer(self._first_byte.labels(endpoint)),
                adder(self._size.labels(endpoint)),
                _usual_end(method, endpoint, status) if status < 500 else None,
            )
            self._errors.labels(method, endpoint, "500")
        series.add(1)
        series.observe(seconds)
        if request.first_byte:
            series.observe_first_byte(request.first_byte - request.started)
        if request.bytes:
            series.add_bytes(request.bytes)
        if status >= 500:
            self._errors.labels(method, endpoint, str(status)).inc()
        if request.error is not None and request.outcome == "failed":
            self._exceptions.labels(endpoint, type(request.error).__name__).inc()
        if request.trace.sampled:
            metrics.remember_exemplar("http_request_duration_seconds", seconds, request.trace.trace_id, endpoint=endpoint)
        return series.ended if method == request.method else None

    def _log(self, request: Request, endpoint: str, status: int, seconds: float) -> None:
        if request.internal and request.outcome == "completed":
            level = 10
        elif request.outcome in ("failed", "timed_out") or status >= 500:
            level = ERROR
        else:
            level = WARNING if request.outcome == "cancelled" else INFO
        log.log(
            level,
            f"{request.method} {endpoint} {status}",
            exc_info=request.error if request.outcome == "failed" else None,
            event=OUTCOME_EVENTS[request.outcome],
            endpoint=endpoint,
            status_code=status,
            outcome=request.outcome,
            duration_ms=_milliseconds(seconds),
            response_bytes=request.bytes,
            **(_ended_early(request) if request.reason or request.place else {}),
        )

    def endpoint(self, scope: Scope) -> str:
        """The route template that a request matched, with the prefix of a mounted app; `unmatched` when there is none."""
        # FastAPI keeps the prefixes of `include_router` apart from the route that they are put before.
        included = scope.get("fastapi", {}).get("effective_route_context")
        route = getattr(included, "starlette_route", None) or included or scope.get("route")  # the first: WebSockets
        path = getattr(route, "path", None)
        if path is not None:
            prefix = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
            return f"{prefix}{path}" if prefix else str(path)
        return scope["path"] if "endpoint" in scope and scope["path"] in self._static_paths(scope) else UNMATCHED

    def _static_paths(self, scope: Scope) -> frozenset[str]:
        """Plain routes (documentation pages) don't name themselves in the scope; their paths have no parameters."""
        app = scope.get("app")
        known = self._static.get(id(app))
        if known is None:
            known = frozenset(route.path for route in getattr(app, "routes", ()) if type(route) is Route and "{" not in route.path)
            self._static[id(app)] = known
        return known


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _usual_end(method: str, endpoint: str, status: int) -> Repeated:
    """The record that `Recorder` writes of a request that ended well, ready but for its duration and size."""
    fields: dict[str, str | int] = {
        "event": OUTCOME_EVENTS["completed"],
        "endpoint": endpoint,
        "status_code": status,
        "outcome": "completed",
    }
    return Repeated(PIPELINE.service, INFO, log.name, f"{method} {endpoint} {status}", fields, ("duration_ms", "response_bytes"))


def _ended_early(request: Request) -> dict[str, Any]:
    """Why and where a request ended that was not let run to its end; nothing for all others."""
    found = {"reason": request.reason, "error_location": request.place}
    return {name: value for name, value in found.items() if value}


def own_place(error: BaseException) -> str | None:
    """The innermost line of our own code in which an exception passed: `file:line in function`. Libraries below it say little."""
    step, found = error.__traceback__, None
    while step is not None:
        _, is_ours, file = step.tb_frame.f_code.co_filename.rpartition("/app/")
        if is_ours and "site-packages" not in step.tb_frame.f_code.co_filename:
            found = f"{file}:{step.tb_lineno} in {step.tb_frame.f_code.co_name}"
        step = step.tb_next
    return found


def client_gone(receive: Any) -> bool:
    """Whether uvicorn has seen the client hang up. Other servers don't tell before the end; then it's no."""
    try:
        return bool(receive.__self__.disconnected)
    except AttributeError:
        return False


def report_status(request: Request) -> None:
    """An answer that no exception explains is an error event too, where the settings list its status; nothing is reported twice."""
    if not error_tracking.is_reported_status(request.status):
        return
    if request.error is None and not request.internal and not request.scope.get("nobet.reported"):
        level: error_tracking.SentryLevel = "error" if request.status >= 500 else "warning"
        error_tracking.capture_message(f"{request.method} answered {request.status}", level=level, status_code=str(request.status))
