"""Everything of `app.core` put together, for a service in three lines.

obs = Observability("orders", get_settings())
app = FastAPI(lifespan=obs.lifespan)
obs.install(app)
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute

from app.core import analytics, context, error_tracking, metrics, tracing
from app.core.alerting import Alerting
from app.core.config import ConfigError, Settings
from app.core.endpoints import make_router
from app.core.health_monitor import HealthMonitor
from app.core.log_setup import configure_logging
from app.core.logger import get_logger
from app.core.middleware import ObservabilityMiddleware
from app.core.own_routes import ask_last
from app.core.requests import RequestWatch
from app.core.system_metrics import SystemCollector, watch_event_loop

log = get_logger(__name__)


class Observability:
    """Logs, metrics, traces, errors and health of one process. Making it sets them up."""

    def __init__(self, service: str, settings: Settings) -> None:
        self.service = settings.service_name or service
        self.settings = settings
        configure_logging(settings, service)
        metrics.start(service, settings.app_version, settings.environment)
        metrics.use_collector(SystemCollector(settings, with_host=service != "shipper"))
        tracing.setup(settings, self.service)
        error_tracking.setup(settings, self.service)
        self.analytics = analytics.setup(settings, service)
        self.alerts = Alerting(settings, self.service)
        self.health = HealthMonitor(settings, self.alerts)
        self.watch = RequestWatch(settings.request_timeout_seconds)
        self._installed: tuple[FastAPI, list[BaseRoute]] | None = None

    def install(self, app: FastAPI) -> None:
        """Add the middleware, /metrics, the health endpoints, and error answers that carry the request id."""
        _silence_telemetry_of(app)
        app.add_middleware(ObservabilityMiddleware, settings=self.settings, watch=self.watch)
        before = len(app.router.routes)
        app.include_router(make_router(self.settings, self.health))
        self._installed = (app, app.router.routes[before:])
        app.add_exception_handler(HTTPException, answer_http_exception)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The background work of a service, for as long as the block lasts; what is pending is sent at the end."""
        jobs = [
            asyncio.create_task(job)
            for job in (watch_event_loop(), self.health.run(), self.watch.run(), error_tracking.keep_quota_current())
        ]
        if self._installed is not None:
            ask_last(*self._installed)
        with context.run(self.service):
            log.info("Service is ready", event="app.started", version=self.settings.app_version, environment=self.settings.environment)
        try:
            async with self.analytics.running():
                yield
        finally:
            for job in jobs:
                job.cancel()
            for job in jobs:
                with suppress(asyncio.CancelledError):
                    await job
            await asyncio.to_thread(self.close)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """A FastAPI lifespan for services that have none of their own."""
        async with self.running():
            yield

    def close(self) -> None:
        """Send what is pending, each for a bounded time. Logging goes on: the server has a last word to say."""
        with context.run(self.service):
            log.info("Service ends", event="app.stopped")
        self.alerts.close()
        tracing.shutdown()
        error_tracking.shutdown()
        metrics.flush_exemplars()


def _silence_telemetry_of(app: FastAPI) -> None:
    """FastAPI's own spans, metrics and log records stay off.

    They would tell everything a second time as soon as any library sets a global provider, with query strings and messages
    that nobody masks; and looking for such a provider costs each request a tenth of what FastAPI costs in all. The settings
    can only be given to FastAPI's constructor, which is the caller's; so they are changed where it keeps them.
    """
    kept = getattr(app, "_telemetry", None)
    if isinstance(kept, dict):
        kept.update(tracing=False, metrics=False, logs=False)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Endless work beside a block; it is cancelled at the block's end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def made_when_asked_for(module: dict[str, Any], create: Callable[[], FastAPI]) -> Callable[[str], FastAPI]:
    """A module's `__getattr__` that makes its `app` on first use, so that importing the module reads no settings and opens no files.

    `__getattr__ = made_when_asked_for(globals(), create_app)`. Wrong settings end the process with their sentence.
    """

    def attribute(name: str) -> FastAPI:
        if name != "app":
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        try:
            made = module["app"] = create()
        except ConfigError as error:
            sys.exit(str(error))
        return made

    return attribute


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """An HTTP error as {"detail", "request_id"}; reported as an error event where the settings want its status."""
    if not isinstance(error, HTTPException):
        raise error
    if error_tracking.is_reported_status(error.status_code):
        error_tracking.capture_exception(error)
        request.scope["nobet.reported"] = True
    if error.status_code in (204, 304):
        return await http_exception_handler(request, error)
    body = {"detail": error.detail, "request_id": context.request_id()}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)
