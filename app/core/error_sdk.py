"""Starts the error tracker's SDK. Imported only where error tracking is on: the SDK takes memory and a start that others needn't pay."""

from collections.abc import Callable
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.transport import HttpTransport
from sentry_sdk.types import Event, Hint

from app.core import error_event, error_transactions, metrics
from app.core.config import Settings


class _CountedTransport(HttpTransport):
    """Counts events that could not be delivered."""

    def record_lost_event(self, reason: str, data_category: Any = None, item: Any = None, *, quantity: int = 1) -> None:
        if data_category == "error" or (item is not None and getattr(item, "data_category", "") == "error"):
            metrics.counter("telemetry_dropped_total").labels(signal="error_event").inc()
        super().record_lost_event(reason, data_category, item, quantity=quantity)


def start(settings: Settings, service: str, before_send: Callable[[Event, Hint], Event | None], shutdown_seconds: float) -> None:
    """Start it for this process. `before_send` sees each error event last; the end of the process waits so long for what is pending."""
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.environment,
        release=f"{settings.app_name}@{settings.app_version}",
        server_name=settings.sentry_server_name or None,
        traces_sample_rate=settings.sentry_traces_sample_rate or None,
        profile_session_sample_rate=settings.sentry_profiles_sample_rate or None,
        profile_lifecycle="trace",
        data_collection={"user_info": settings.sentry_send_default_pii, "http_bodies": [], "stack_frame_variables": False},
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[DedupeIntegration(), AtexitIntegration(callback=lambda _pending, _timeout: None)],
        include_source_context=True,
        max_breadcrumbs=error_event.CRUMBS,
        shutdown_timeout=shutdown_seconds,
        before_send=before_send,
        before_send_transaction=error_transactions.before_send,
        transport=_CountedTransport,
    )
    sentry_sdk.set_tag("service", service)
