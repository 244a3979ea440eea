"""The gateway is the only door: what another network can reach, and what it gets there."""

import json
import ssl
from collections.abc import Iterator, Sequence
from typing import Final

import httpx
import pytest

from app.core.ports import PORTS
from app.stack.gateway.sites import SITES, Site, host_of
from tests.compose.containers import ANSWER_SECONDS, ONE_SHOT, Containers

SCAN: Final = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def is_open(place):
    try:
        socket.create_connection(tuple(place), timeout=2).close()
    except OSError:
        return False
    return True
places = json.loads(sys.argv[1])
with ThreadPoolExecutor(200) as pool:
    print(json.dumps([place for place, found in zip(places, pool.map(is_open, places)) if found]))
"""


@pytest.mark.req("ACC-01", "ACC-02", "ACC-03", "ACC-09")
def test_another_network_finds_the_gateway_only(stack: Containers) -> None:
    """A scan from a network namespace of its own: of all ports of the stack on this machine's address only the gateway's two answer."""
    published = [[stack.outside, stack.port(name)] for name in PORTS]
    open_ones = {port for _, port in _scan(stack, published)}
    assert open_ones == {stack.port("gateway"), stack.port("gateway_tls")}


@pytest.mark.req("ACC-02", "ACC-09")
def test_another_network_reaches_no_container(stack: Containers) -> None:
    """Not past this machine either: no container answers at its own address."""
    addresses = [
        network["IPAddress"]
        for name, item in stack.inspect().items()
        if name not in ONE_SHOT
        for network in item["NetworkSettings"]["Networks"].values()
    ]
    assert all(addresses)
    assert _scan(stack, [[address, port] for address in addresses for port in sorted(set(PORTS.values()))]) == []


@pytest.fixture(scope="module")
def door(stack: Containers) -> Iterator[httpx.Client]:
    """A visitor from outside, who trusts the certificate that the stack has made for itself."""
    trusted = ssl.create_default_context(cafile=str(stack.folder / "secrets" / "compose" / "gateway_certificate"))
    trusted.check_hostname = False  # the visitor comes by address
    with httpx.Client(base_url=f"https://{stack.outside}:{stack.port('gateway_tls')}", verify=trusted, timeout=ANSWER_SECONDS) as client:
        yield client


@pytest.mark.req("ACC-01")
def test_the_app_is_behind_the_door_and_its_metrics_are_not(door: httpx.Client) -> None:
    """The app answers over TLS; `/metrics` is nowhere, even with a name that the gateway serves."""
    assert door.get("/health/live", headers={"Host": "localhost"}).status_code == 200
    assert [door.get(path, headers={"Host": "localhost"}).status_code for path in ("/metrics", "/metrics/")] == [404, 404]


@pytest.mark.req("ACC-03", "ACC-09")
@pytest.mark.parametrize("site", [site for site in SITES if not site.signs_in], ids=lambda site: site.name)
def test_a_page_is_behind_a_sign_in(stack: Containers, door: httpx.Client, site: Site) -> None:
    """Nobody without the password; with it the server in its container answers."""
    host = {"Host": host_of(site, "localhost")}
    assert door.get("/", headers=host).status_code == 401
    answer = door.get("/", headers=host, auth=("nobet", stack.secret("GATEWAY_PASSWORD")))
    assert answer.status_code < 400


@pytest.mark.req("ACC-04")
@pytest.mark.parametrize(("site", "page"), [("grafana", "/login"), ("oncall", "/sign-in")])
def test_a_page_with_its_own_sign_in_is_reached(door: httpx.Client, site: str, page: str) -> None:
    """Grafana and on-call ask for a password themselves."""
    assert door.get(page, headers={"Host": f"{site}.localhost"}).status_code == 200


def _scan(stack: Containers, places: Sequence[Sequence[object]]) -> list[tuple[str, int]]:
    image = stack.inspect()["app"]["Image"]
    printed = stack.engine.docker("run", "--rm", "--entrypoint", "/opt/venv/bin/python", image, "-c", SCAN, json.dumps(places))
    return [(str(host), int(port)) for host, port in json.loads(printed)]
