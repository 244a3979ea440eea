"""opentelemetry-instrumentation-fastapi: spans of a share of the requests, parent-based, in batches over OTLP/HTTP."""

import os

from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased


def trace_requests(app: FastAPI) -> None:
    """Instrument the application."""
    sampler = ParentBased(TraceIdRatioBased(float(os.environ["TRACE_SAMPLE_RATE"])))
    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}), sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ["BENCH_OTEL"])))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
