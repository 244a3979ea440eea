"""The door: nginx in front of the app and of every page."""

from typing import Final

from app.stack.model import Apt, Component, Http, Installed, Own

ACME_OPTIONS: Final = ("--folder={secrets}/acme", "--web-root={root}/acme", "--gateway=http://{host}:{port[gateway]}")
"""Where the keeper of the certificate finds what it works on, outside of a container."""

NGINX: Final = Component(
    name="gateway",
    title="Gateway",
    sources=(Apt(("nginx",), "usr/sbin/nginx"), Installed("nginx")),
    arguments=("-e", "stderr", "-p", "{run}", "-c", "{etc}/gateway/nginx.conf"),
    ports=("gateway", "gateway_tls"),
    probe=Http("gateway", "/gateway/health"),
    config=("gateway",),
    optional=True,
    unprivileged=True,  # it would run as root, which the one who talks to strangers must not
    forks=True,
    stop_signal="QUIT",  # requests under way get their answers
    stop_seconds=10,
    page="/health/",
    login="pages: GATEWAY_USER / GATEWAY_PASSWORD",
)

ACME: Final = Component(
    name="acme",
    title="Certificate",
    sources=(Own("app.stack.acme"),),
    arguments=("-m", "app.stack.acme", *ACME_OPTIONS),
    ports=("acme",),
    probe=Http("acme", "/health/live"),
    env={
        "SPOOL_DIR": "{spool}",
        "STACK_PORT_OFFSET": "{settings.stack_port_offset}",
        "GATEWAY_HOST": "{settings.gateway_host}",
        "GATEWAY_ACME_EMAIL": "{settings.gateway_acme_email}",
        "GATEWAY_ACME_DIRECTORY": "{settings.gateway_acme_directory}",
        "GATEWAY_ACME_CA": "",  # a path, if somebody sets one
    },
    secrets=("METRICS_TOKEN", "SENTRY_DSN"),
    setting="GATEWAY_ACME_EMAIL",
    optional=True,
)

GATEWAY: Final = (NGINX, ACME)
