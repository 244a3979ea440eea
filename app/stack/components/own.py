"""Our own processes: the app, the voice service, the shipper."""

from typing import Final

from app.stack.model import Component, Http, Own

_ACCESS_LOG_OFF: Final = "--no-access-log"
"""The middleware writes one record for each request; uvicorn's line would be a second."""

APP: Final = Component(
    name="app",
    title="App",
    sources=(Own("app.main"),),
    arguments=(
        "-m",
        "uvicorn",
        "app.main:app",
        "--host={host}",
        "--port={port[app]}",
        "--workers={settings.web_concurrency}",
        "--loop=uvloop",  # asyncio's own loop leaks context between keep-alive requests with large bodies
        "--http=httptools",
        "--timeout-graceful-shutdown=8",
        _ACCESS_LOG_OFF,
    ),
    ports=("app",),
    probe=Http("app", "/health/ready"),
    env={
        "DATABASE_URL": "postgresql+asyncpg://nobet:{quoted[POSTGRES_PASSWORD]}@{host}:{port[postgres]}/nobet",
        "REDIS_URL": "redis://:{quoted[REDIS_PASSWORD]}@{host}:{port[redis]}/0",
        "VOICE_URL": "http://{host}:{port[voice]}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://{host}:{port[otlp_http]}",
        "SPOOL_DIR": "{spool}",
        "PROMETHEUS_MULTIPROC_DIR": "{run}/metrics",
        "WEB_CONCURRENCY": "{settings.web_concurrency}",
    },
    secrets=("METRICS_TOKEN", "SENTRY_DSN"),
    depends_on=("postgres", "redis", "voice"),
    prepare="app",
    stop_seconds=15,
    page="/docs",
)

VOICE: Final = Component(
    name="voice",
    title="Voice",
    sources=(Own("app.voice.main"),),
    arguments=("-m", "uvicorn", "app.voice.main:app", "--host={host}", "--port={port[voice]}", "--loop=uvloop", _ACCESS_LOG_OFF),
    ports=("voice",),
    probe=Http("voice", "/health/live"),
    env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://{host}:{port[otlp_http]}", "SPOOL_DIR": "{spool}"},
    secrets=("METRICS_TOKEN", "SENTRY_DSN"),
)

SHIPPER: Final = Component(
    name="shipper",
    title="Shipper",
    sources=(Own("app.shipper"),),
    arguments=("-m", "app.shipper"),
    ports=("shipper",),
    probe=Http("shipper", "/health/live"),
    env={
        "ELASTICSEARCH_URL": "http://{host}:{port[elasticsearch]}",
        "ELASTICSEARCH_USERNAME": "nobet_shipper",
        "ELASTICSEARCH_PASSWORD": "{secret[ELASTICSEARCH_SHIPPER_PASSWORD]}",
        "SPOOL_DIR": "{spool}",
        "STACK_PORT_OFFSET": "{settings.stack_port_offset}",
    },
    secrets=("METRICS_TOKEN", "SENTRY_DSN", "ELASTICSEARCH_ADMIN_PASSWORD"),
    depends_on=("elasticsearch",),
    stop_seconds=20,
)

OWN: Final = (VOICE, APP, SHIPPER)
