"""The gateway's files: configuration, users, certificate and key; for the native stack and for a container."""

from pathlib import Path
from typing import Final

import bcrypt

from app.core.ports import LOOPBACK, PORTS
from app.stack.acme.shelf import Shelf
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.gateway.certificate import certificate_and_key
from app.stack.gateway.config import Place, render_gateway
from app.stack.gateway.sites import in_container
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack

_ROUNDS: Final = 5
"""bcrypt's cost. nginx checks the password anew with each request: 5 takes 2 ms, the usual 10 would take 60."""

_EVERYWHERE: Final = "0.0.0.0"  # inside its container; docker-compose.yml decides where the ports open
_DOCKERS_RESOLVER: Final = "127.0.0.11"
_MOUNTED: Final = "/run/secrets/gateway_"
_RENEWED: Final = "/var/lib/nobet/certificates"  # a volume that the service `acme` writes to


def write_gateway(stack: Stack) -> None:
    """Write what the native gateway reads, below `etc/gateway`. Raises StackError without a usable certificate."""
    folder = stack.paths.etc / "gateway"
    certificate, key = certificate_and_key(stack.settings, stack.paths.secrets / "gateway")
    live = stack.paths.secrets / "acme"
    if stack.settings.gateway_acme_email:
        Shelf(live).seed(certificate, key)
    place = Place(
        bind=stack.settings.gateway_bind,
        plain_port=stack.port("gateway"),
        tls_port=stack.port("gateway_tls"),
        tls_seen=stack.port("gateway_tls"),
        address=lambda site: f"{LOOPBACK}:{stack.port(site.port)}",
        certificate=str(folder / "certificate.pem"),
        key=str(folder / "key.pem"),
        users=str(folder / "users"),
        challenges=str(challenges(stack)),
        live=str(live) if stack.settings.gateway_acme_email else "",
        temporary=str(stack.paths.run / "gateway" / "tmp"),
    )
    write_private(folder / "nginx.conf", render_gateway(stack.settings, place))
    write_private(folder / "users", _users(stack, folder / "users"))
    write_private(folder / "certificate.pem", certificate)
    write_private(folder / "key.pem", key)


def gateway_texts(stack: Stack) -> dict[str, str]:
    """Name under `secrets` in docker-compose.yml → content of what the container reads. Raises StackError."""
    certificate, key = certificate_and_key(stack.settings, stack.paths.secrets / "gateway")
    place = Place(
        bind=_EVERYWHERE,
        plain_port=PORTS["gateway"],
        tls_port=PORTS["gateway_tls"],
        tls_seen=stack.port("gateway_tls"),
        address=in_container,
        certificate=f"{_MOUNTED}certificate",
        key=f"{_MOUNTED}key",
        users=f"{_MOUNTED}users",
        challenges=f"{_RENEWED}/challenges" if stack.settings.gateway_acme_email else "/var/www/acme",
        live=_RENEWED if stack.settings.gateway_acme_email else "",
        temporary="/tmp",  # noqa: S108 (a file system of the container alone)
        resolver=_DOCKERS_RESOLVER,
    )
    return {
        "gateway_config": render_gateway(stack.settings, place),
        "gateway_users": _users(stack, stack.paths.secrets / "compose" / "gateway_users"),
        "gateway_certificate": certificate.decode(),
        "gateway_key": key.decode(),
        "gateway_acme_ca": _ca(stack),
    }


def _ca(stack: Stack) -> str:
    chosen = stack.settings.gateway_acme_ca
    try:
        return (CHECKOUT / chosen).read_text(encoding="utf-8") if chosen else ""
    except OSError as error:
        raise StackError(f"GATEWAY_ACME_CA: can't read {chosen}: {error.strerror}. Correct the path, or unset it.") from None


def challenges(stack: Stack) -> Path:
    """The folder into which an ACME client puts its answers. nginx's user may read it, and nothing else is in it."""
    folder = stack.paths.root / "acme"
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


def _users(stack: Stack, written: Path) -> str:
    """The password file. What is written already stays while it fits, so that nothing is started anew for another salt."""
    user, password = stack.settings.gateway_user, stack.secret("GATEWAY_PASSWORD").encode()
    known = written.read_text(encoding="utf-8") if written.exists() else ""
    name, _, hashed = known.strip().partition(":")
    if name == user and hashed and bcrypt.checkpw(password, hashed.encode()):
        return known
    return f"{user}:{bcrypt.hashpw(password, bcrypt.gensalt(_ROUNDS)).decode()}\n"
