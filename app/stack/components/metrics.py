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
        "--web.enable-admin-api",  # for the snapshot that a backup takes
        "--web.external-url=http://{host}:{port[prometheus]}/",
        "--enable-feature=exemplar-storage",
        "--log.format=logfmt",
    ),
    ports=("prometheus",),
    probe=Http("prometheus", "/-/ready"),
    env={"GOMAXPROCS": "2"},
    config=("prometheus/prometheus.yml", "prometheus/rules", "prometheus/secrets"),  # targets are watched, not loaded
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
        Apt(("prometheus-alertmanager",), "usr/bin/prometheus-alertmanager", libraries=False),
    ),
    arguments=(
        "--config.file={etc}/alertmanager/alertmanager.yml",
        "--storage.path={data}",
        "--web.listen-address={host}:{port[alertmanager]}",
        "--web.external-url=http://{host}:{port[alertmanager]}/",
        "--cluster.listen-address=",  # a single one: no gossip, no further port
        "--data.maintenance-interval=1m",  # silences are written that often: what a kill may cost
    ),
    ports=("alertmanager",),
    probe=Http("alertmanager", "/-/ready"),
    config=("alertmanager", "../secrets/oncall_token"),
    depends_on=("oncall",),
    reload_path="/-/reload",
    overlay_share=True,
    page="/",
)

NODE_EXPORTER: Final = Component(
    name="node_exporter",
    title="Node exporter",
    sources=(Apt(("prometheus-node-exporter",), "usr/bin/prometheus-node-exporter", libraries=False),),
    arguments=("--web.listen-address={host}:{port[node_exporter]}",),
    ports=("node_exporter",),
    probe=Http("node_exporter", "/"),
)

POSTGRES_EXPORTER: Final = Component(
    name="postgres_exporter",
    title="PostgreSQL exporter",
    sources=(Apt(("prometheus-postgres-exporter",), "usr/bin/prometheus-postgres-exporter", libraries=False),),
    arguments=("--web.listen-address={host}:{port[postgres_exporter]}",),
    ports=("postgres_exporter",),
    probe=Http("postgres_exporter", "/"),
    env={
        "DATA_SOURCE_URI": "{host}:{port[postgres]}/nobet?sslmode=disable",
        "DATA_SOURCE_USER": "nobet",
        "DATA_SOURCE_PASS_FILE": "{secrets}/postgres_password",
    },
    depends_on=("postgres",),
    config=("../secrets/postgres_password",),
)

REDIS_EXPORTER: Final = Component(
    name="redis_exporter",
    title="Redis exporter",
    sources=(Apt(("prometheus-redis-exporter",), "usr/bin/prometheus-redis-exporter", libraries=False),),
    arguments=("-web.listen-address={host}:{port[redis_exporter]}", "-redis.addr=redis://{host}:{port[redis]}"),
    ports=("redis_exporter",),
    probe=Http("redis_exporter", "/health"),
    env={"REDIS_PASSWORD": "{secret[REDIS_PASSWORD]}"},
    depends_on=("redis",),
)

ELASTICSEARCH_EXPORTER: Final = Component(
    name="elasticsearch_exporter",
    title="Elasticsearch exporter",
    sources=(Apt(("prometheus-elasticsearch-exporter",), "usr/bin/prometheus-elasticsearch-exporter", libraries=False),),
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
    sources=(Apt(("prometheus-blackbox-exporter",), "usr/bin/prometheus-blackbox-exporter", libraries=False),),
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
    env={
        "GF_PATHS_DATA": "{data}",
        "GF_PATHS_LOGS": "{run}",
        "GF_PATHS_PLUGINS": "{data}/plugins",
        "GF_PATHS_PROVISIONING": "{etc}/grafana/provisioning",
        "GF_SERVER_HTTP_ADDR": "{host}",
        "GF_SERVER_HTTP_PORT": "{port[grafana]}",
        "GF_SECURITY_ADMIN_USER": "{settings.grafana_admin_user}",
        "GF_SECURITY_ADMIN_PASSWORD": "$__file{{{secrets}/grafana_admin_password}}",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_AUTH_ANONYMOUS_ENABLED": "false",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_LOG_MODE": "console",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": "{etc}/grafana/dashboards/overview.json",
        "GF_SMTP_ENABLED": "true",
        "GF_SMTP_HOST": "{host}:{port[inbox_smtp]}",
        "GF_SMTP_FROM_ADDRESS": "{settings.alert_email_from}",
        # read by grafana/provisioning
        "GF_NOBET_PROMETHEUS_URL": "http://{host}:{port[prometheus]}",
        "GF_NOBET_SCRAPE_INTERVAL": "{settings.prometheus_scrape_interval}",
        "GF_NOBET_ALERTMANAGER_URL": "http://{host}:{port[alertmanager]}",
        "GF_NOBET_JAEGER_URL": "http://{host}:{port[jaeger_ui]}",
        "GF_NOBET_ELASTICSEARCH_URL": "http://{host}:{port[elasticsearch]}",
        "GF_NOBET_LOG_INDEX_PREFIX": "{settings.log_index_prefix}",
        "GF_NOBET_READER_PASSWORD": "{secret[ELASTICSEARCH_READER_PASSWORD]}",
        "GF_NOBET_DASHBOARDS": "{etc}/grafana/dashboards",
    },
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
