"""Who is measured: the application, its environment, and how many records a request must leave behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.request_path.apps.endpoints import FEED_LINES

TRACED: Final = "0.1"
"""The share of requests that production traces."""

BARE: Final = "bare"


@dataclass(frozen=True, slots=True)
class Variant:
    """One application. In `env`, {otlp} and {dsn} are the addresses of servers that take everything, {folder} is its own."""

    name: str
    title: str
    app: str
    ping_records: int = 1
    feed_records: int = 1 + FEED_LINES
    env: Mapping[str, str] = field(default_factory=dict)
    access_log: bool = False
    ours: bool = False
    quick: bool = False
    """Part of the short run."""


_OURS: Final = {
    "ENVIRONMENT": "production",
    "METRICS_TOKEN": "bench-token-of-32-characters-long",
    "SPOOL_DIR": "{folder}/spool",
    "SPOOL_MAX_BYTES": "1000000000",
    "LOG_STDOUT": "false",
    "LOG_REQUEST_START": "false",
    # The gate against floods stays in the path, but a bench is a flood: it must not save the work.
    "LOG_FLOOD_LIMIT": "1000000000",
    "HEALTH_REQUIRED": "",
}
_SHARED_METRICS: Final = {"PROMETHEUS_MULTIPROC_DIR": "{folder}/metrics"}
_EVERYTHING: Final = {"OTEL_EXPORTER_OTLP_ENDPOINT": "{otlp}", "TRACE_SAMPLE_RATE": TRACED, "SENTRY_DSN": "{dsn}"}
_OTEL: Final = {"BENCH_OTEL": "{otlp}/v1/traces", "TRACE_SAMPLE_RATE": TRACED}
_STRUCTLOG: Final = "asgi-correlation-id + prometheus-fastapi-instrumentator + structlog"

VARIANTS: Final = (
    Variant(BARE, "bare FastAPI, no access log", "bare", 0, 0, quick=True),
    Variant("bare_again", "the same once more (what the method can't tell apart)", "bare", 0, 0),
    Variant("kit", "**Nöbet**: id, context, terminal record, metrics, masking", "kit", env=_OURS, ours=True, quick=True),
    Variant("kit_workers", "**Nöbet** with multi-worker metrics", "kit", env={**_OURS, **_SHARED_METRICS}, ours=True),
    Variant(
        "kit_all", "**Nöbet**, everything: also 10 % tracing, error tracking", "kit", env={**_OURS, **_EVERYTHING}, ours=True, quick=True
    ),
    Variant(
        "kit_all_workers",
        "**Nöbet**, everything, multi-worker metrics and a record at the start of each request",
        "kit",
        2,
        2 + FEED_LINES,
        env={**_OURS, **_EVERYTHING, **_SHARED_METRICS, "LOG_REQUEST_START": "true"},
        ours=True,
    ),
    Variant("access_log", "bare FastAPI, uvicorn's own access log on", "bare", 1, 1, access_log=True),
    Variant("starlette_exporter", "starlette_exporter + python-json-logger", "starlette_exporter_json", access_log=True),
    Variant("structlog", f"{_STRUCTLOG} (orjson, contextvars)", "structlog_stack", quick=True),
    Variant("structlog_workers", "the same with multi-worker metrics", "structlog_stack", env=_SHARED_METRICS),
    Variant("structlog_tutorial", "the same three, as their tutorials write it", "structlog_tutorial"),
    Variant("sentry", "sentry-sdk's FastAPI integration alone, no errors, no traces", "sentry_alone", 0, 0, env={"BENCH_SENTRY": "{dsn}"}),
    Variant("loguru", "loguru (serialize) + asgi-correlation-id + prometheus-fastapi-instrumentator", "loguru_serialize"),
    Variant("by_hand", "BaseHTTPMiddleware by hand + python-json-logger + prometheus_client", "by_hand"),
    Variant("structlog_otel", "structlog stack + opentelemetry-instrumentation-fastapi, 10 % sampled", "structlog_stack", env=_OTEL),
    Variant(
        "structlog_all",
        "structlog stack + OpenTelemetry, 10 % sampled, + Sentry: the usual equivalent of everything",
        "structlog_stack",
        env={**_OTEL, "BENCH_SENTRY": "{dsn}"},
    ),
)
