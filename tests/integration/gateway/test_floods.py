"""Those who send slowly, much or often: the gateway ends them, and everybody else is served meanwhile."""

import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.integration.conftest import StartService
from tests.integration.gateway.conftest import OpenGateway
from tests.support.gateway import Behind, Gateway
from tests.support.waiting import wait_until

SLOW_CONNECTIONS = 400
DEADLINE_SECONDS = 5
PATIENCE = 60
BEGINNING = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"


class Drip:
    """Connections that send a byte now and then, so that no pause is ever long, until each has been closed by the other side."""

    def __init__(self, connections: list[socket.socket]) -> None:
        self._open = connections
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> int:
        """How many are still open."""
        return len(self._open)

    def end(self) -> None:
        """Stop sending."""
        self._stop.set()
        self._thread.join(PATIENCE)

    def _drip(self) -> None:
        while self._open and not self._stop.wait(0.2):
            self._open = [connection for connection in self._open if self._still_open(connection)]

    @staticmethod
    def _still_open(connection: socket.socket) -> bool:
        try:
            if select.select([connection], [], [], 0)[0] and not connection.recv(4096):
                return False
            connection.send(b"x")
        except OSError:
            return False
        return True


def _until_closed(connection: socket.socket) -> None:
    """Read until the other side closed it, by an answer, an end or a reset. Raises TimeoutError."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass


def _many(gateway: Gateway, opened: ExitStack, beginning: bytes) -> list[socket.socket]:
    return [opened.enter_context(gateway.raw(beginning)) for _ in range(SLOW_CONNECTIONS)]


def test_slow_headers_end_and_harm_nobody(open_gateway: OpenGateway, start: StartService) -> None:
    """Hundreds of connections that drip their header: the app answers all the while and hears of none; each ends at its deadline."""
    app = start("app")
    gateway = open_gateway(app_port=app.port, gateway_header_seconds=DEADLINE_SECONDS)
    with ExitStack() as opened, gateway.client() as client:
        drip = Drip(_many(gateway, opened, BEGINNING))
        served = 0
        try:
            while drip.alive and served < 10_000:
                assert client.get("/health/live").status_code == 200
                served += 1
                time.sleep(0.05)  # the pace of a usual client, not a wait
        finally:
            drip.end()
        assert drip.alive == 0
        assert served > 5
    print(f"{SLOW_CONNECTIONS} slow connections ended while {served} requests were answered")


def test_without_the_gateway_the_same_connections_stay(start: StartService) -> None:
    """Why there is a gateway: the app's own server keeps a dripping header for as long as it drips."""
    app = start("app")
    with ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection(("127.0.0.1", app.port), timeout=PATIENCE)) for _ in range(20)]
        for connection in slow:
            connection.sendall(BEGINNING)
        drip = Drip(slow)
        try:
            until = time.monotonic() + 2 * DEADLINE_SECONDS
            wait_until("twice the gateway's deadline has passed", lambda: time.monotonic() > until, PATIENCE)
            assert drip.alive == 20
        finally:
            drip.end()


def test_a_body_that_does_not_come_ends_and_reaches_nobody(open_gateway: OpenGateway, behind: Behind) -> None:
    """It is cut off after the deadline; the server behind was not even asked, however many wait."""
    gateway = open_gateway(
        gateway_body_seconds=DEADLINE_SECONDS, gateway_connections=2 * SLOW_CONNECTIONS, gateway_requests_per_second=10_000
    )
    before = len(behind.heard), behind.opened
    with ExitStack() as opened:
        slow = _many(gateway, opened, BODY)
        with gateway.client() as client:
            assert client.get("/").status_code == 200
        for connection in slow:
            _until_closed(connection)
    assert (len(behind.heard), behind.opened) == (before[0] + 1, before[1] + 1)


def test_bodies_and_headers_have_a_size(gateway: Gateway, open_gateway: OpenGateway, behind: Behind) -> None:
    """413 before a byte of the body reached the server, also without a length; 4xx for a header that is too long."""
    small = open_gateway(gateway_max_body_bytes=1000)
    with small.client() as client:
        assert client.post("/", content=b"x" * 1000).status_code == 200
        before = len(behind.heard)
        assert client.post("/", content=b"x" * 1001).status_code == 413
        assert client.post("/", content=iter([b"x" * 600, b"x" * 600])).status_code == 413
        assert client.get("/", headers={"X-Long": "x" * 9000}).status_code == 400
        assert client.get("/" + "x" * 9000).status_code == 414
    assert len(behind.heard) == before


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\0c\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x00garbage\r\n\r\n",
    ],
    ids=["two-hosts", "length-and-chunks", "odd-encoding", "two-lengths", "nul", "trace", "garbage"],
)
def test_requests_that_two_servers_read_differently_go_no_further(gateway: Gateway, behind: Behind, request_bytes: bytes) -> None:
    """What could smuggle a second request past the rules is refused, or reaches the server as one plain request."""
    before = len(behind.heard)
    with gateway.raw(request_bytes) as connection:
        first = connection.makefile("rb").readline()
    assert first == b"" or first.split()[1] in (b"400", b"405", b"501"), first
    assert not [heard for heard in behind.heard[before:] if heard.path == "/hidden"]


def test_one_address_cannot_take_all_the_requests(open_gateway: OpenGateway) -> None:
    """Beyond the burst it gets 429, and another address is served as if nothing happened."""
    gateway = open_gateway(gateway_requests_per_second=5)
    with gateway.client() as greedy, gateway.client(source="127.0.0.2") as patient:
        statuses = [greedy.get("/").status_code for _ in range(100)]
        assert statuses[:10] == [200] * 10
        assert 429 in statuses
        assert patient.get("/").status_code == 200


def test_one_address_cannot_take_all_the_connections(open_gateway: OpenGateway, behind: Behind) -> None:
    """Requests under way at once are counted; one more gets 429, another address does not, and a free place serves again."""
    gateway = open_gateway(gateway_connections=4)
    behind.second_half.clear()
    with ExitStack() as opened, gateway.client() as client, gateway.client(source="127.0.0.2") as other:
        streams = [opened.enter_context(opened.enter_context(gateway.client()).stream("GET", "/stream")) for _ in range(4)]
        assert [stream.status_code for stream in streams] == [200] * 4
        assert client.get("/").status_code == 429
        assert other.get("/").status_code == 200
        behind.second_half.set()
        for stream in streams:
            stream.read()
        wait_until("there is a free place", lambda: client.get("/").status_code == 200, PATIENCE)


def test_passwords_cannot_be_guessed_quickly(open_gateway: OpenGateway, behind: Behind) -> None:
    """Tries count as requests: a crowd of them from one address gets 429, and none gets in."""
    gateway = open_gateway(gateway_requests_per_second=5)
    before = len(behind.heard)
    with gateway.client("prometheus") as client, ThreadPoolExecutor(4) as pool:
        statuses = set(pool.map(lambda guess: client.get("/", auth=("nobet", f"guess-{guess}")).status_code, range(60)))
    assert statuses == {401, 429}
    assert len(behind.heard) == before
