"""Which web pages may call the app, and which headers they may send and read."""

from typing import Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app.core.config import Settings

SENT: Final = (
    "Authorization",
    "Content-Type",
    "X-Call-SID",
    "X-Event-ID",
    "X-Request-ID",
    "X-Correlation-ID",
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
)
"""Headers with which clients carry token, id and trace. Browsers send others only when asked and answered."""

READ: Final = ("X-Request-ID", "X-Event-ID", "Retry-After", "ETag")
"""Headers that a page's script may see."""

PREFLIGHT_SECONDS: Final = 600


def allow_origins(app: FastAPI, settings: Settings) -> None:
    """Let pages of CORS_ORIGINS call. Nothing without origins; cookies are never taken.

    Call it last, so that it is the outermost: the 500 that the observability
    middleware answers must be readable by the page too, for the id in it.
    """
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=SENT,
            expose_headers=READ,
            max_age=PREFLIGHT_SECONDS,
        )
