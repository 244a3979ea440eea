"""Every TCP port of the stack, once.

Settings take their default addresses from here, the native runner its listen
addresses, and the tests compare `docker-compose.yml` and the Prometheus
targets with it. A second stack on one machine shifts all of them by
`STACK_PORT_OFFSET`.
"""

from typing import Final

PORTS: Final[dict[str, int]] = {
    "app": 8000,
    "voice": 8010,
    "shipper": 8020,
    "oncall": 8030,
    "gateway": 8080,
    "gateway_tls": 8443,
    "error_tracker": 8040,
    "cleanup": 8050,
    "acme": 8060,
    "elasticsearch": 9200,
    "elasticsearch_transport": 9300,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "preview": 3010,
    "jaeger_ui": 16686,
    "jaeger_health": 13133,
    "jaeger_metrics": 8888,
    "otlp_grpc": 4317,
    "otlp_http": 4318,
    "inbox": 8025,
    "inbox_smtp": 1025,
    "postgres": 5432,
    "redis": 6379,
    "node_exporter": 9100,
    "postgres_exporter": 9187,
    "redis_exporter": 9121,
    "elasticsearch_exporter": 9114,
    "blackbox": 9115,
}

LOOPBACK: Final = "127.0.0.1"


def port(name: str, offset: int = 0) -> int:
    """The port of one listener, shifted by `offset`. Unknown names raise KeyError."""
    return PORTS[name] + offset


def local_url(name: str, offset: int = 0) -> str:
    """The address under which a listener of the native stack is reached on this machine."""
    return f"http://{LOOPBACK}:{port(name, offset)}"
