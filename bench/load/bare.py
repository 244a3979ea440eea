"""The app with all observability off: the same endpoints, domain, database and server, without the kit.

No middleware, no request id, no logging (the calls are there and write nothing),
no metrics (stand-ins that do nothing), no traces, no error tracking, no analytics.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import main
from app.api.errors import install_error_answers
from app.api.routes import api_router
from app.core.config import Settings, get_settings
from app.core.kit import made_when_asked_for
from app.core.log_setup import setup_logging

OFF = {
    "LOG_LEVEL": "CRITICAL",
    "LOG_STDOUT": "false",
    "SPOOL_DIR": "",
    "METRICS_ENABLED": "false",
    "METRICS_DISABLED_GROUPS": "core,http,system,db,health,business",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
    "SENTRY_DSN": "",
    "ANALYTICS_ENABLED": "false",
}
"""Environment that goes with it."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The endpoints and nothing else."""
    settings = settings or get_settings()
    setup_logging(settings, "bare")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.resources = resources = main._connect(settings)
        try:
            yield
        finally:
            await resources.close()

    app = FastAPI(lifespan=lifespan)
    install_error_answers(app)
    app.include_router(api_router(settings))
    return app


__getattr__ = made_when_asked_for(globals(), create_app)
