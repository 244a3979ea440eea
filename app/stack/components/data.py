"""What stores and what receives: PostgreSQL, Redis, Elasticsearch, the trace store, the mail inbox."""

from typing import Final

from app.stack.model import Apt, Component, Go, Http, Maven, Npm, Postgres, Redis

POSTGRES: Final = Component(
    name="postgres",
    title="PostgreSQL",
    sources=(Apt(("postgresql-17|postgresql-16|postgresql-15",), "usr/lib/postgresql/*/bin/postgres"),),
    arguments=("-D", "{data}", "-c", "config_file={etc}/postgres/postgresql.conf"),
    ports=("postgres",),
    probe=Postgres("postgres"),
    config=("postgres", "../secrets/postgres_password"),  # a new password is given to the role before the next start
    prepare="postgres",
    unprivileged=True,
    stop_signal="INT",  # "fast" shutdown: ends sessions, writes a checkpoint
    stop_seconds=30,
    login="nobet / POSTGRES_PASSWORD",
)

REDIS: Final = Component(
    name="redis",
    title="Redis",
    sources=(Apt(("redis-server", "redis-tools"), "usr/bin/redis-server"),),
    arguments=("{etc}/redis/redis.conf",),
    ports=("redis",),
    probe=Redis("redis"),
    config=("redis",),
    login="default / REDIS_PASSWORD",
)

ELASTICSEARCH: Final = Component(
    name="elasticsearch",
    title="Elasticsearch",
    sources=(Maven("org.elasticsearch.distribution.integ-test-zip", "elasticsearch", "8.19.21", "bin/elasticsearch"),),
    arguments=(),
    ports=("elasticsearch", "elasticsearch_transport"),
    probe=Http("elasticsearch", "/_cluster/health?local=true", user="nobet_exporter"),
    env={
        "ES_PATH_CONF": "{etc}/elasticsearch",
        # A fixed heap keeps the stack inside its memory promise. The role synchroniser wants an analyser
        # that this distribution lacks and only fills the log.
        "ES_JAVA_OPTS": "-Xms512m -Xmx512m -Des.queryable_built_in_roles_enabled=false",
        # The small process that starts the server and passes signals on.
        "CLI_JAVA_OPTS": "-Xmx32m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    },
    config=(
        "elasticsearch/elasticsearch.yml",
        "elasticsearch/jvm.options",
        "elasticsearch/jvm.options.d",
        "elasticsearch/log4j2.properties",
    ),
    unprivileged=True,
    ready_seconds=300,  # 15 s on an idle machine, minutes on one that builds at the same time
    stop_seconds=40,
    login="nobet_admin / ELASTICSEARCH_ADMIN_PASSWORD",
)

JAEGER: Final = Component(
    name="jaeger",
    title="Jaeger",
    sources=(Go("jaeger", "1.76.0", ("github.com/jaegertracing/jaeger/cmd/jaeger",), "jaeger"),),
    arguments=("--config={etc}/jaeger/jaeger.yaml",),
    ports=("jaeger_ui", "otlp_grpc", "otlp_http", "jaeger_health", "jaeger_metrics"),
    probe=Http("jaeger_health", "/status"),
    env={
        "JAEGER_BIND": "{host}",
        "JAEGER_UI_PORT": "{port[jaeger_ui]}",
        "JAEGER_HEALTH_PORT": "{port[jaeger_health]}",
        "JAEGER_METRICS_PORT": "{port[jaeger_metrics]}",
        "OTLP_GRPC_PORT": "{port[otlp_grpc]}",
        "OTLP_HTTP_PORT": "{port[otlp_http]}",
        "ELASTICSEARCH_URL": "http://{host}:{port[elasticsearch]}",
        "ELASTICSEARCH_USERNAME": "nobet_jaeger",
        "ELASTICSEARCH_PASSWORD_FILE": "{secrets}/elasticsearch_jaeger_password",
        "GOMEMLIMIT": "256MiB",
    },
    depends_on=("elasticsearch",),
    config=("jaeger", "../secrets/elasticsearch_jaeger_password"),
    optional=True,
    background=True,
)

INBOX: Final = Component(
    name="inbox",
    title="Mail inbox",
    sources=(Npm("inbox", "2.2.1", "node_modules/maildev/bin/maildev"),),
    arguments=(
        "--ip={host}",
        "--web-ip={host}",
        "--smtp={port[inbox_smtp]}",
        "--web={port[inbox]}",
        "--mail-directory={data}",
    ),
    ports=("inbox", "inbox_smtp"),
    probe=Http("inbox", "/healthz"),
    env={"NODE_OPTIONS": "--max-old-space-size=96", "NODE_ENV": "production"},
    optional=True,
    page="/",
)

DATA: Final = (POSTGRES, REDIS, ELASTICSEARCH, JAEGER, INBOX)
