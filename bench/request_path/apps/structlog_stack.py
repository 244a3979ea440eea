"""asgi-correlation-id + prometheus-fastapi-instrumentator + structlog, as its documentation says it is fastest.

orjson, bytes straight to standard output, no standard library in between, pure
ASGI middleware only. OpenTelemetry and Sentry are added when the environment says so.
"""

import logging
import os
from typing import Any

import orjson
import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator

from bench.request_path.apps.endpoints import LOADED, MISSED, REQUESTED, add_endpoints
from bench.request_path.apps.terminal_record import TerminalRecord


def add_request_id(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The id of the request into each record."""
    event["request_id"] = correlation_id.get()
    return event


structlog.configure(
    cache_logger_on_first_use=True,
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    processors=[
        structlog.contextvars.merge_contextvars,
        add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ],
    logger_factory=structlog.BytesLoggerFactory(),
)
log = structlog.get_logger().bind(name="app.feed")


def write_lines() -> None:
    """Three records."""
    log.info("feed.requested", **REQUESTED)
    log.info("cache.missed", **MISSED)
    log.info("feed.loaded", **LOADED)


def write_terminal(method: str, path: str, status: int, milliseconds: float) -> None:
    """The record at the end of a request."""
    log.info("http.request.completed", method=method, path=path, status_code=status, duration_ms=milliseconds)


if os.environ.get("BENCH_SENTRY"):
    from bench.request_path.apps.sentry import start_sentry

    start_sentry()

app = FastAPI()
add_endpoints(app, write_lines)
app.add_middleware(TerminalRecord, write=write_terminal)
app.add_middleware(CorrelationIdMiddleware)
Instrumentator().instrument(app).expose(app)

if os.environ.get("BENCH_OTEL"):
    from bench.request_path.apps.opentelemetry_tracing import trace_requests

    trace_requests(app)
