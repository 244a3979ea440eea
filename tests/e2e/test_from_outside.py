"""The stack as another machine sees it: a gateway, and nothing else."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from app.stack.doctor.exposure import listeners, pages
from app.stack.doctor.model import Level, Scene
from app.stack.mode import Mode
from app.stack.strays import find_strays
from tests.support.machines import HERE, Machine, second_machine
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

GUARDED = ("prometheus", "alertmanager", "inbox")
"""Pages that have no sign-in of their own and run everywhere."""


@contextmanager
def _opened(world: RunningStack, address: str) -> Iterator[None]:
    """The gateway listens on another address for as long as the block lasts."""
    world.change(GATEWAY_BIND=address)
    world.need("gateway")
    try:
        yield
    finally:
        world.change(GATEWAY_BIND="")
        world.need("gateway")


@pytest.fixture(scope="module")
def outside(world: RunningStack) -> Iterator[Machine]:
    """A second machine, with a cable to this one, on whose end the gateway listens."""
    with second_machine() as other, _opened(world, HERE):
        yield other


def _client(world: RunningStack, site: str = "", *, signed_in: bool = False) -> httpx.Client:
    host = f"{site}.localhost".lstrip(".")
    auth = ("nobet", world.secret("GATEWAY_PASSWORD")) if signed_in else None
    url = f"https://{HERE}:{world.port('gateway_tls')}"
    return httpx.Client(base_url=url, headers={"Host": host}, auth=auth, verify=_unchecked(), timeout=60, trust_env=False)


def _unchecked() -> ssl.SSLContext:
    """The certificate is the stack's own, and for names; tests/integration/gateway checks it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _of_the_stack(world: RunningStack) -> set[int]:
    """Ports on which programs of the stack listen, at whatever address. What else runs on this machine comes and goes."""
    ours = {process.pid for process in find_strays(world.declared.paths)}
    found = psutil.net_connections(kind="tcp")
    return {entry.laddr.port for entry in found if entry.status == psutil.CONN_LISTEN and entry.laddr and entry.pid in ours}


@pytest.mark.req("ACC-02", "ACC-03", "ACC-09")
def test_a_scan_from_another_machine_finds_the_gateway_only(world: RunningStack, outside: Machine) -> None:
    """Of all 65535 ports, those two of the gateway take a connection, and none of any other server of the stack."""
    with socket.create_server((HERE, 0)) as control:
        servers = _of_the_stack(world)
        found = outside.open_ports()
        assert control.getsockname()[1] in found
    gateway = {world.port("gateway"), world.port("gateway_tls")}
    assert gateway < servers
    assert found & (servers | _of_the_stack(world)) == gateway
    scene = Scene(world.declared, Mode.NATIVE)
    assert not [finding for look in (listeners, pages) for finding in look(scene) if finding.level is Level.PROBLEM]


@pytest.mark.req("ACC-01", "ACC-03", "ACC-09")
def test_real_pages_ask_for_the_password_and_open_with_it(world: RunningStack, outside: Machine) -> None:
    """Prometheus, Alertmanager and the inbox answer 401, and with the password what they answer on this machine."""
    assert outside
    for site in GUARDED:
        with _client(world, site) as client:
            assert client.get("/").status_code == 401, site
    with _client(world, "prometheus", signed_in=True) as client:
        assert client.get("/api/v1/query", params={"query": "up"}).json()["data"]["result"]
        assert client.post("/-/quit").status_code == 404
    with _client(world, "alertmanager", signed_in=True) as client:
        assert client.get("/api/v2/status").json()["config"]
    with _client(world, "inbox", signed_in=True) as client:
        assert client.get("/email").status_code == 200


@pytest.mark.req("ACC-01")
def test_the_app_and_the_watch_are_reached_through_the_gateway(world: RunningStack, outside: Machine) -> None:
    """Health, an id that is echoed, and the on-call page's own sign-in; never a metric."""
    assert outside
    with _client(world) as client:
        answer = client.get("/health/live", headers={"X-Event-ID": "from-outside"})
        assert (answer.status_code, answer.headers["X-Event-ID"]) == (200, "from-outside")
        token = {"Authorization": f"Bearer {world.secret('METRICS_TOKEN')}"}
        assert client.get("/metrics", headers=token).status_code == 404
    with _client(world, "oncall") as client:
        page = client.get("/", follow_redirects=False)
        assert page.status_code in (303, 307, 401)
        assert client.get("/metrics").status_code == 404


def test_plain_http_from_outside_leads_to_https(world: RunningStack, outside: Machine) -> None:
    """The other port serves nothing but the way."""
    assert outside
    answer = httpx.get(f"http://{HERE}:{world.port('gateway')}/feed", headers={"Host": "localhost"}, timeout=60, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://localhost:{world.port('gateway_tls')}/feed")


def test_workers_of_a_killed_gateway_do_not_keep_its_ports(world: RunningStack) -> None:
    """Kill -9 of nginx's parent leaves workers that hold the ports; the next start ends them, and the gateway is back."""
    parent = psutil.Process(world.pid("gateway"))
    workers = parent.children(recursive=True)
    assert workers
    world.kill("gateway")
    wait_until("the gateway being back", lambda: world.pid("gateway") != parent.pid and world.is_ready("gateway"), 60)
    wait_until("the end of the old workers", lambda: not any(worker.is_running() for worker in workers), 30)
