"""A BaseHTTPMiddleware written by hand, as most tutorials have it: id, metrics, python-json-logger."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from fastapi import FastAPI, Request, Response
from prometheus_client import Counter, Histogram, make_asgi_app
from starlette.middleware.base import BaseHTTPMiddleware

from bench.request_path.apps.endpoints import add_endpoints
from bench.request_path.apps.json_logging import use_json, write_lines

REQUESTS = Counter("http_requests_total", "Requests.", ["method", "path", "status"])
SECONDS = Histogram("http_request_duration_seconds", "Time to answer.", ["method", "path"])
request_id: ContextVar[str] = ContextVar("request_id", default="-")
log = logging.getLogger("app.access")


class AddRequestId(logging.Filter):
    """The id of the request into each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets all pass."""
        record.request_id = request_id.get()
        return True


class Observe(BaseHTTPMiddleware):
    """Everything in one `dispatch`."""

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Serve one request."""
        ident = request.headers.get("X-Request-ID") or str(uuid.uuid4())
        request_id.set(ident)
        start = time.perf_counter()
        response = await call_next(request)
        seconds = time.perf_counter() - start
        REQUESTS.labels(request.method, request.url.path, str(response.status_code)).inc()
        SECONDS.labels(request.method, request.url.path).observe(seconds)
        fields = {"method": request.method, "path": request.url.path, "status_code": response.status_code, "duration_ms": seconds * 1000}
        log.info("Request completed", extra=fields)
        response.headers["X-Request-ID"] = ident
        return response


use_json(filters=(AddRequestId(),))
app = FastAPI()
add_endpoints(app, write_lines)
app.add_middleware(Observe)
app.mount("/metrics", make_asgi_app())
