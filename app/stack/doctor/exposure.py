"""What the running stack shows to others: listeners beyond loopback, doors that open without a key."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import psutil

from app.core.ports import LOOPBACK
from app.stack.compose import compose_status
from app.stack.doctor.asking import Auth, NoAnswerError, ask
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Check, Finding, Scene
from app.stack.doctor.running import runs
from app.stack.gateway.sites import SITES, host_of
from app.stack.mode import Mode
from app.stack.strays import find_strays

_REFUSALS: Final = frozenset({401, 403, 404})

_DOORS: Final[tuple[tuple[str, str, str, Auth | None], ...]] = (
    ("elasticsearch", "elasticsearch", "/_cluster/health", None),
    ("elasticsearch", "elasticsearch", "/_cluster/health", ("elastic", "changeme")),
    ("app", "app", "/metrics", None),
    ("app", "app", "/crash", None),
    ("voice", "voice", "/metrics", None),
    ("shipper", "shipper", "/metrics", None),
    ("oncall", "oncall", "/metrics", None),
    ("cleanup", "cleanup", "/metrics", None),
    ("grafana", "grafana", "/api/org", None),
    ("grafana", "grafana", "/api/org", ("admin", "admin")),
)
"""Component, its port, a path that nobody may have without a key, and the default key that must not fit."""

_SECONDS: Final = 3.0


def exposure_checks(group: str) -> tuple[Check, ...]:
    """In the order of the table."""
    looks = (("listeners", listeners), ("doors", doors), ("pages", pages))
    return tuple(Check(name, group, look) for name, look in looks)


def listeners(scene: Scene) -> list[Finding]:
    """Only the gateway may listen where others reach it."""
    if not runs(scene):
        return note("The stack does not run, so nothing was seen of its ports.", "make up, then nobet doctor --production again")
    gateway = {scene.stack.port("gateway"), scene.stack.port("gateway_tls")}
    listening = set(_native(scene) if scene.mode is Mode.NATIVE else _published(scene))
    found: list[Finding] = []
    for name, address, port in sorted(listening):
        if port not in gateway and not _is_loopback(address):
            found += problem(
                f"{name} listens on {address}:{port}.",
                "Its address was changed from 127.0.0.1: whoever reaches this machine reaches it, past the gateway.",
                "Undo that; the gateway serves every page. `make up` writes the configuration again",
            )
    return found or ok(f"{len(listening)} listeners, and none but the gateway's is beyond {LOOPBACK}.")


def _native(scene: Scene) -> Iterator[tuple[str, str, int]]:
    for process in find_strays(scene.stack.paths):
        with suppress(psutil.Error):
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr:
                    yield process.name(), connection.laddr.ip, connection.laddr.port


def _published(scene: Scene) -> Iterator[tuple[str, str, int]]:
    for service in compose_status(scene.stack):
        for publisher in service.get("Publishers") or ():
            if publisher.get("PublishedPort"):
                yield str(service.get("Service")), str(publisher.get("URL") or "0.0.0.0"), int(publisher["PublishedPort"])


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")


def doors(scene: Scene) -> list[Finding]:
    """Every server asks for a key, and the ones that everybody knows do not fit."""
    asked, found = 0, list[Finding]()
    for component, port, path, auth in _DOORS:
        try:
            # Asked whether it is there, not called: a GET of /crash would be an error event.
            method = "OPTIONS" if path == "/crash" else "GET"
            status = ask(scene.stack.url(port) + path, method=method, auth=auth).status_code
        except NoAnswerError:
            continue  # whether it should run is another row's question
        asked += 1
        if status not in _REFUSALS:
            key = f"with {auth[0]} and {auth[1]}" if auth else "without a key"
            found += problem(
                f"{component} answers {status} to {path} {key}.",
                "A setting was changed, or it runs with the settings of a trial.",
                "ENVIRONMENT=production in .env, no anonymous access, then make up",
            )
    asked += _redis(scene, found)
    if not asked:
        return note("No server answers, so no door was tried.", "make up, then nobet doctor --production again")
    return found or ok(f"{asked} doors were tried without a key, and none opened.")


def _redis(scene: Scene, found: list[Finding]) -> int:
    """Whether Redis could be asked; adds what is wrong."""
    try:
        with socket.create_connection((LOOPBACK, scene.stack.port("redis")), timeout=_SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
    except OSError:
        return 0
    if answer.startswith(b"+PONG"):
        found += problem("Redis answers without a password.", "REDIS_PASSWORD is empty.", "Remove it from .env, then make up")
    return 1


def pages(scene: Scene) -> list[Finding]:
    """The gateway asks for a password before every page that has no sign-in of its own, and keeps /metrics inside."""
    found: list[Finding] = []
    for site in SITES:
        name = host_of(site, scene.stack.settings.gateway_host)
        for path, wrong in (("/", not site.signs_in), ("/metrics", True)):
            try:
                status = ask(scene.stack.url("gateway") + path, headers={"Host": name}).status_code
            except NoAnswerError as error:
                return note(f"The gateway was not asked: {error}.", "make up")
            if wrong and status not in (*_REFUSALS, 308):
                found += problem(
                    f"The gateway answers {status} to {path} of {name} without a password.",
                    "Its configuration was changed by hand, or another server answers at its port.",
                    "make up",
                )
    return found or ok("Through the gateway every page asks for a password, and /metrics is not there.")
