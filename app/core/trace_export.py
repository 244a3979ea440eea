"""Sends spans to their store. Imported only where there is one: the SDK takes memory and a start that others needn't pay."""

import logging
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from app.core import metrics
from app.core.config import Settings
from app.core.logger import get_logger

QUEUE_SPANS: Final = 8192

log = get_logger(__name__)


def make_provider(settings: Settings, service: str, timeout_seconds: int) -> TracerProvider:
    """A source of tracers whose spans go to the store of the settings; an export takes no longer than the time limit."""
    resource = Resource.create(
        {"service.name": service, "service.version": settings.app_version, "deployment.environment.name": settings.environment}
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = _Counted(OTLPSpanExporter(f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces", timeout=timeout_seconds))
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=QUEUE_SPANS, schedule_delay_millis=1000, export_timeout_millis=timeout_seconds * 1000)
    )
    for name in ("opentelemetry.exporter", "opentelemetry.sdk"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return provider


class _Counted(SpanExporter):
    """Counts what reached the store and what didn't, and says once when that changes."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._failing = False
        self._sent = metrics.counter("telemetry_sent_total").labels(signal="span")
        self._dropped = metrics.counter("telemetry_dropped_total").labels(signal="span")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._inner.export(spans)
        except Exception:  # noqa: BLE001 (whatever the store does, the worker thread must live)
            result = SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        (self._dropped if failed else self._sent).inc(len(spans))
        if failed != self._failing:
            self._failing = failed
            if failed:
                log.warning("Spans can't be sent", event="telemetry.failing", component="traces", count=len(spans))
            else:
                log.info("Spans are sent again", event="telemetry.recovered", component="traces")
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)
