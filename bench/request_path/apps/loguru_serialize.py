"""loguru with serialize=True, asgi-correlation-id and prometheus-fastapi-instrumentator, pure ASGI."""

import sys

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI
from loguru import logger
from prometheus_fastapi_instrumentator import Instrumentator

from bench.request_path.apps.endpoints import LOADED, MISSED, REQUESTED, add_endpoints
from bench.request_path.apps.terminal_record import TerminalRecord

logger.remove()
logger.add(sys.stdout, serialize=True, level="INFO")
logger.configure(patcher=lambda record: record["extra"].update(request_id=correlation_id.get()))


def write_lines() -> None:
    """Three records."""
    logger.info("Feed requested", **REQUESTED)
    logger.info("Cache missed", **MISSED)
    logger.info("Feed loaded", **LOADED)


def write_terminal(method: str, path: str, status: int, milliseconds: float) -> None:
    """The record at the end of a request."""
    logger.info("Request completed", method=method, path=path, status_code=status, duration_ms=milliseconds)


app = FastAPI()
add_endpoints(app, write_lines)
app.add_middleware(TerminalRecord, write=write_terminal)
app.add_middleware(CorrelationIdMiddleware)
Instrumentator().instrument(app).expose(app)
