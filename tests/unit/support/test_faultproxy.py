"""The fault proxy does to a connection what its mode says."""

import http.server
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.support.faultproxy import FaultProxy, Mode
from tests.support.waiting import wait_until

BODY = b"x" * 50_000


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).asked += 1
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """A proxy in front of a server that answers with what it was sent."""
    _Echo.asked = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with FaultProxy("127.0.0.1", server.server_address[1]) as proxy:
        yield proxy
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[httpx.Client]:
    """A client that keeps its connection, which was used once."""
    with httpx.Client(base_url=proxy.url, timeout=30, trust_env=False) as client:
        assert client.post("/", content=BODY).content == BODY
        yield client


@pytest.mark.parametrize("mode", ["refuse", "cut_answers", "cut_requests"])
def test_cut_connections_are_errors_and_nothing_comes_of_them(proxy: FaultProxy, client: httpx.Client, mode: Mode) -> None:
    """The client sees a broken connection, never half an answer; afterwards all is well."""
    proxy.set_mode(mode)
    with pytest.raises(httpx.TransportError):
        client.post("/", content=BODY)
    proxy.set_mode("pass")
    assert client.post("/", content=BODY).content == BODY
    assert proxy.faults


@pytest.mark.parametrize("mode", ["hold_answers", "black_hole", "half_open"])
def test_silence_is_a_time_out(proxy: FaultProxy, client: httpx.Client, mode: Mode) -> None:
    """Nobody is told; only held answers were answers at all."""
    before = _Echo.asked
    proxy.set_mode(mode)
    with pytest.raises(httpx.TimeoutException):
        client.post("/", content=BODY, timeout=0.5)
    if mode == "hold_answers":
        wait_until("the server has answered", lambda: _Echo.asked > before and proxy.held > 0)
    else:
        assert _Echo.asked == before
    proxy.set_mode("pass")
    assert client.post("/", content=BODY).content == BODY


@pytest.mark.parametrize(("mode", "status"), [("answer_429", 429), ("answer_503", 503)])
def test_an_answer_in_the_servers_name(proxy: FaultProxy, client: httpx.Client, mode: Mode, status: int) -> None:
    """A whole HTTP answer; the server has not heard of the request, and the connection goes on."""
    before = _Echo.asked
    proxy.set_mode(mode)
    assert [client.post("/", content=BODY).status_code for _ in range(2)] == [status, status]
    assert _Echo.asked == before
    proxy.set_mode("pass")
    assert client.post("/", content=BODY).content == BODY


def test_a_delay_changes_nothing_but_time(proxy: FaultProxy, client: httpx.Client) -> None:
    """Every byte arrives."""
    proxy.set_mode("delay")
    assert client.post("/", content=BODY).content == BODY
    assert proxy.faults
