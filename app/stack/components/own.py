"""Our own processes: the app, the voice service, the shipper."""

from typing import Final

from app.stack.model import Component, Http, Own

_WITH_STORES: Final = {"OTEL_EXPORTER_OTLP_ENDPOINT": "jaeger", "SENTRY_DSN": "error_tracker"}
"""Without a trace store or an error tracker nothing is sent, rather than sent in vain."""

_DSN: Final = "http://{error_key}@{host}:{port[error_tracker]}/1"
"""The stack's own error tracker. A SENTRY_DSN that somebody set wins."""

_ALERTS: Final = {
    "ALERTMANAGER_URL": "http://{host}:{port[alertmanager]}",
    "SMTP_SERVER": "{host}",
    "SMTP_PORT": "{port[inbox_smtp]}",
    "SMTP_USERNAME": "{settings.smtp_username}",
    "ALERT_EMAIL_FROM": "{settings.alert_email_from}",
    "ALERT_EMAIL_TO": "{settings.alert_email_to}",
}
"""How a process tells of its own troubles: through Alertmanager, or past it by mail. A mail server that somebody set wins."""

_SERVE: Final = ("-m", "app.core.serve")

APP: Final = Component(
    name="app",
    title="App",
    sources=(Own("app.main"),),
    arguments=(
        *_SERVE,
        "app.main:app",
        "--service=app",
        "--host={host}",
        "--port={port[app]}",
        "--workers={settings.web_concurrency}",
    ),
    ports=("app",),
    probe=Http("app", "/health/ready"),
    env={
        "DATABASE_URL": "postgresql+asyncpg://nobet:{quoted[POSTGRES_PASSWORD]}@{host}:{port[postgres]}/nobet",
        "REDIS_URL": "redis://:{quoted[REDIS_PASSWORD]}@{host}:{port[redis]}/0",
        "VOICE_URL": "http://{host}:{port[voice]}",
        "HEALTH_ELASTICSEARCH_URL": "http://{host}:{port[elasticsearch]}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://{host}:{port[otlp_http]}",
        "SPOOL_DIR": "{spool}",
        "PROMETHEUS_MULTIPROC_DIR": "{run}/metrics",
        "SENTRY_DSN": _DSN,
        **_ALERTS,
    },
    env_where=_WITH_STORES,
    secrets=("METRICS_TOKEN", "JWT_SECRET", "ANALYTICS_KEY", "ANALYTICS_OLD_KEYS", "SENTRY_DSN", "SLACK_WEBHOOK_URL", "SMTP_PASSWORD"),
    depends_on=("postgres", "redis", "voice"),
    prepare="app",
    stop_seconds=25,  # app.core.serve gives requests under way 20 s
    page="/docs",
)

VOICE: Final = Component(
    name="voice",
    title="Voice",
    sources=(Own("app.voice.main"),),
    arguments=(*_SERVE, "app.voice.main:app", "--service=voice", "--host={host}", "--port={port[voice]}", "--workers=1"),
    ports=("voice",),
    probe=Http("voice", "/health/live"),
    env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://{host}:{port[otlp_http]}", "SPOOL_DIR": "{spool}", "SENTRY_DSN": _DSN, **_ALERTS},
    env_where=_WITH_STORES,
    secrets=("METRICS_TOKEN", "SENTRY_DSN", "SLACK_WEBHOOK_URL", "SMTP_PASSWORD"),
    stop_seconds=25,
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
        "SPOOL_DIR": "{spool}",
        "STACK_PORT_OFFSET": "{settings.stack_port_offset}",
        "SENTRY_DSN": _DSN,
    },
    env_where={"SENTRY_DSN": "error_tracker"},
    secrets=("METRICS_TOKEN", "SENTRY_DSN", "ELASTICSEARCH_SHIPPER_PASSWORD"),
    depends_on=("elasticsearch",),
    outlives=("app", "voice", "oncall"),  # its drain takes their last records along
    prepare="shipper",
    stop_seconds=20,
)

CLEANUP: Final = Component(
    name="cleanup",
    title="Cleanup",
    sources=(Own("app.cleanup"),),
    arguments=("-m", "app.cleanup"),
    ports=("cleanup",),
    probe=Http("cleanup", "/health/live"),
    env={
        "ELASTICSEARCH_URL": "http://{host}:{port[elasticsearch]}",
        "SPOOL_DIR": "{spool}",
        "LOG_ARCHIVE_DIR": "{data}",
        **_ALERTS,
        "STACK_PORT_OFFSET": "{settings.stack_port_offset}",
        "SENTRY_DSN": _DSN,
    },
    env_where={"SENTRY_DSN": "error_tracker"},
    secrets=("METRICS_TOKEN", "SENTRY_DSN", "ELASTICSEARCH_CLEANUP_PASSWORD", "LOG_ARCHIVE_IDENTITY", "SLACK_WEBHOOK_URL", "SMTP_PASSWORD"),
    depends_on=("elasticsearch",),
    stop_seconds=20,  # a page of documents is written to its end
)

ONCALL: Final = Component(
    name="oncall",
    title="On-call",
    sources=(Own("app.oncall.main"),),
    arguments=(*_SERVE, "app.oncall.main:app", "--service=oncall", "--host={host}", "--port={port[oncall]}", "--workers=1"),
    ports=("oncall",),
    probe=Http("oncall", "/health/ready"),
    env={
        "DATABASE_URL": "postgresql+asyncpg://nobet:{quoted[POSTGRES_PASSWORD]}@{host}:{port[postgres]}/nobet",
        "SPOOL_DIR": "{spool}",
        "SENTRY_DSN": _DSN,
        "STACK_PORT_OFFSET": "{settings.stack_port_offset}",
        "ONCALL_PUBLIC_URL": "http://{host}:{port[oncall]}",
        "PROMETHEUS_URL": "http://{host}:{port[prometheus]}",
        "GRAFANA_URL": "http://{host}:{port[grafana]}",
        **_ALERTS,
    },
    env_where={"SENTRY_DSN": "error_tracker"},
    secrets=(
        "METRICS_TOKEN",
        "SENTRY_DSN",
        "ONCALL_DATABASE_URL",
        "ONCALL_TOKEN",
        "ONCALL_PASSWORD",
        "ONCALL_LINK_KEY",
        "ONCALL_HEARTBEAT_URL",
        "ONCALL_WEBHOOK_KEY",
        "SLACK_WEBHOOK_URL",
        "SLACK_SIGNING_SECRET",
        "PAGERDUTY_KEY",
        "OPSGENIE_KEY",
        "TELEGRAM_BOT_TOKEN",
        "SMTP_PASSWORD",
    ),
    depends_on=("postgres",),
    stop_seconds=25,
    page="/",
    login="your name / ONCALL_PASSWORD",
)

OWN: Final = (VOICE, APP, ONCALL, SHIPPER, CLEANUP)
