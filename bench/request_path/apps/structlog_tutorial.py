"""The same three libraries as their tutorials put them together.

structlog through the standard library's logging, a JSON formatter with the usual
chain of processors, and the terminal record in an `@app.middleware("http")`.
"""

import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI, Request, Response
from prometheus_fastapi_instrumentator import Instrumentator

from bench.request_path.apps.endpoints import LOADED, MISSED, REQUESTED, add_endpoints

shared: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]
structlog.configure(
    processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(
    structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
)
logging.getLogger().handlers[:] = [handler]
logging.getLogger().setLevel(logging.INFO)
log = structlog.stdlib.get_logger("app.feed")
access = structlog.stdlib.get_logger("api.access")


def write_lines() -> None:
    """Three records."""
    log.info("feed.requested", **REQUESTED)
    log.info("cache.missed", **MISSED)
    log.info("feed.loaded", **LOADED)


app = FastAPI()
add_endpoints(app, write_lines)


@app.middleware("http")
async def log_request(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Bind the id, time the request, write its record."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=correlation_id.get())
    start = time.perf_counter_ns()
    response = await call_next(request)
    milliseconds = (time.perf_counter_ns() - start) / 1e6
    http = {
        "url": str(request.url),
        "status_code": response.status_code,
        "method": request.method,
        "version": request.scope["http_version"],
    }
    access.info(f"{request.method} {request.url.path} {response.status_code}", http=http, duration_ms=milliseconds)
    response.headers["X-Process-Time"] = str(milliseconds)
    return response


app.add_middleware(CorrelationIdMiddleware)
Instrumentator().instrument(app).expose(app)
