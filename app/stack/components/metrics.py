"""What measures, alerts and draws: Prometheus, Alertmanager, the exporters, Grafana."""

from typing import Final

from app.stack.model import Apt, Component, Go, Http, Installed

PROMETHEUS: Final = Component(
    name="prometheus",
    title="Prometheus",
    sources=(Apt(("prometheus",), "usr/bin/prometheus"),),
    arguments=(
        "--config.file={etc}/prometheus/prometheus.yml",
        "--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time={settings.prometheus_retention}",
        "--web.listen-address={host}:{port[prometheus]}",
        "--web.enable-lifecycle",
        "--web.external-url=http://{host}:{port[prometheus]}/",
        "--enable-feature=exemplar-storage",
        "--log.format=logfmt",
    ),
    ports=("prometheus",),
    probe=Http("prometheus", "/-/ready"),
    env={"GOMAXPROCS": "2"},
    config=("prometheus",),
    reload_path="/-/reload",
    overlay_share=True,
    stop_seconds=30,
    page="/graph",
)

ALERTMANAGER: Final = Component(
    name="alertmanager",
    title="Alertmanager",
    sources=(
        Go(
            "alertmanager",
            "0.31.1",
            ("github.com/prometheus/alertmanager/cmd/alertmanager", "github.com/prometheus/alertmanager/cmd/amtool"),
            "alertmanager",
        ),
        Apt(("prometheus-alertmanager",), "usr/bin/prometheus-alertmanager"),
    ),
    arguments=(
        "--config.file={etc}/alertmanager/alertmanager.yml",
        "--storage.path={data}",
        "--web.listen-address={host}:{port[alertmanager]}",
        "--web.external-url=http://{host}:{port[alertmanager]}/",
        "--cluster.listen-address=",  # a single one: no gossip, no further port
    ),
    ports=("alertmanager",),
    probe=Http("alertmanager", "/-/ready"),
    config=("alertmanager",),
    reload_path="/-/reload",
    overlay_share=True,
    page="/",
)

NODE_EXPORTER: Final = Component(
    name="node_exporter",
    title="Node exporter",
    sources=(Apt(("prometheus-node-exporter",), "usr/bin/prometheus-node-exporter"),),
    arguments=("--web.listen-address={host}:{port[node_exporter]}",),
    ports=("node_exporter",),
    probe=Http("node_exporter", "/"),
)

POSTGRES_EXPORTER: Final = Component(
    name="postgres_exporter",
    title="PostgreSQL exporter",
    sources=(Apt(("prometheus-postgres-exporter",), "usr/bin/prometheus-postgres-exporter"),),
    arguments=("--web.listen-address={host}:{port[postgres_exporter]}",),
    ports=("postgres_exporter",),
    probe=Http("postgres_exporter", "/"),
    env={
        "DATA_SOURCE_URI": "{host}:{port[postgres]}/nobet?sslmode=disable",
        "DATA_SOURCE_USER": "nobet",
        "DATA_SOURCE_PASS_FILE": "{secrets}/postgres_password",
    },
    depends_on=("postgres",),
)

REDIS_EXPORTER: Final = Component(
    name="redis_exporter",
    title="Redis exporter",
    sources=(Apt(("prometheus-redis-exporter",), "usr/bin/prometheus-redis-exporter"),),
    arguments=("-web.listen-address={host}:{port[redis_exporter]}", "-redis.addr=redis://{host}:{port[redis]}"),
    ports=("redis_exporter",),
    probe=Http("redis_exporter", "/health"),
    env={"REDIS_PASSWORD": "{secret[REDIS_PASSWORD]}"},
    depends_on=("redis",),
)

ELASTICSEARCH_EXPORTER: Final = Component(
    name="elasticsearch_exporter",
    title="Elasticsearch exporter",
    sources=(Apt(("prometheus-elasticsearch-exporter",), "usr/bin/prometheus-elasticsearch-exporter"),),
    arguments=(
        "--web.listen-address={host}:{port[elasticsearch_exporter]}",
        "--es.uri=http://{host}:{port[elasticsearch]}",
        "--es.indices",
        "--es.timeout=10s",
    ),
    ports=("elasticsearch_exporter",),
    probe=Http("elasticsearch_exporter", "/healthz"),
    env={"ES_USERNAME": "nobet_exporter", "ES_PASSWORD": "{secret[ELASTICSEARCH_EXPORTER_PASSWORD]}"},
    depends_on=("elasticsearch",),
)

BLACKBOX: Final = Component(
    name="blackbox",
    title="Blackbox exporter",
    sources=(Apt(("prometheus-blackbox-exporter",), "usr/bin/prometheus-blackbox-exporter"),),
    arguments=("--config.file={etc}/blackbox/blackbox.yml", "--web.listen-address={host}:{port[blackbox]}"),
    ports=("blackbox",),
    probe=Http("blackbox", "/-/healthy"),
    config=("blackbox",),
    reload_path="/-/reload",
)

GRAFANA: Final = Component(
    name="grafana",
    title="Grafana",
    sources=(Installed("grafana-server"),),
    arguments=("--homepath={grafana_home}",),
    ports=("grafana",),
    probe=Http("grafana", "/api/health"),
    env={},
    config=("grafana",),
    depends_on=("prometheus",),
    optional=True,
    page="/",
    login="GRAFANA_ADMIN_USER / GRAFANA_ADMIN_PASSWORD",
)

METRICS: Final = (
    PROMETHEUS,
    ALERTMANAGER,
    NODE_EXPORTER,
    POSTGRES_EXPORTER,
    REDIS_EXPORTER,
    ELASTICSEARCH_EXPORTER,
    BLACKBOX,
    GRAFANA,
)
