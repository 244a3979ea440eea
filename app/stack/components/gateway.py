"""The door: nginx in front of the app and of every page."""

from typing import Final

from app.stack.model import Apt, Component, Http, Installed

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

GATEWAY: Final = (NGINX,)
