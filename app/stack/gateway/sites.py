"""What the gateway serves besides the app: every page of the stack, each under a name of its own.

Names rather than paths, because most of these servers want to be at the root
of their address, and because a browser then keeps their cookies apart.
"""

from dataclasses import dataclass
from typing import Final

from app.core.config import Settings
from app.core.ports import PORTS


@dataclass(frozen=True, slots=True)
class Site:
    """A server with pages for people."""

    name: str
    """First part of its host name: grafana.GATEWAY_HOST."""
    port: str
    """Its listener in `app.core.ports`."""
    container: str
    """Its service in docker-compose.yml, where it listens on the same port."""
    signs_in: bool = False
    """It asks for a password itself; for the others the gateway does."""
    shut: tuple[str, ...] = ()
    """Beginnings of paths that are for this machine only, besides /metrics."""
    programs: str = ""
    """Pattern of paths for programs, which bring a key of their own and can't sign in."""
    host: str = ""
    """Host header that it insists on; empty: the one that the browser sent."""


APP: Final = Site("", "app", "app", signs_in=True)
"""The app is at GATEWAY_HOST itself. Its routes decide who may do what."""

SITES: Final = (
    Site("grafana", "grafana", "grafana", signs_in=True),
    Site("oncall", "oncall", "oncall", signs_in=True),
    Site("errors", "error_tracker", "error-tracker", programs="^/api/[0-9]+/(envelope|store)/$", host="localhost"),
    Site("prometheus", "prometheus", "prometheus", shut=("/-/", "/api/v1/admin/", "/federate")),
    Site("alertmanager", "alertmanager", "alertmanager", shut=("/-/",)),
    Site("jaeger", "jaeger_ui", "jaeger"),
    Site("inbox", "inbox", "mailpit"),
)
"""Every page for people. A server that does not run here answers 502 through the gateway, after the sign-in."""


def host_of(site: Site, gateway_host: str) -> str:
    """The name under which people reach a site."""
    return f"{site.name}.{gateway_host}" if site.name else gateway_host


def hosts(gateway_host: str) -> tuple[str, ...]:
    """Every name under which the gateway serves something; what a certificate has to be for."""
    return tuple(host_of(site, gateway_host) for site in (APP, *SITES))


def is_public(settings: Settings) -> bool:
    """Whether others than this machine reach the gateway."""
    return not settings.gateway_bind.startswith("127.")


def in_container(site: Site) -> str:
    """The address of a site in the network of docker-compose.yml."""
    return f"{site.container}:{PORTS[site.port]}"
