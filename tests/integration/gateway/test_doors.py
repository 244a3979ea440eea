"""Who gets through the gateway, and to what: sign-in, shut paths, names, headers."""

import base64
import json
import socket
import ssl
import subprocess

import pytest
from websockets.sync.client import connect

from app.stack.gateway.sites import APP, SITES, Site, host_of
from tests.integration.gateway.conftest import OpenGateway
from tests.support.gateway import PASSWORD, USER, Behind, Gateway
from tests.support.waiting import wait_until

EACH_SITE = pytest.mark.parametrize("site", [APP, *SITES], ids=lambda site: site.name or "app")
GUARDED = pytest.mark.parametrize("site", [site for site in SITES if not site.signs_in], ids=lambda site: site.name)

SPELLINGS = (
    "/metrics", "/metrics/", "/metrics?x=1", "//metrics", "/./metrics", "/x/../metrics", "/%6detrics", "/%6D%65trics/", "/metrics/x",
    "/metrics#x", "/x/%2e%2e/metrics",
)  # fmt: skip


def _ask(gateway: Gateway, path: str, host: str, head: str = "") -> int:
    """The status of a GET whose path is sent exactly as it is."""
    with gateway.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n".encode()) as connection:
        return int(connection.makefile("rb").readline().split()[1])


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.req("ACC-01")
@EACH_SITE
def test_metrics_never_go_out(gateway: Gateway, behind: Behind, site: Site) -> None:
    """No spelling of /metrics reaches any server through the gateway, not even with the right password or a token."""
    host = gateway.url(site.name, "http").removeprefix("http://")
    for path in SPELLINGS:
        before = len(behind.heard)
        for head in ("", f"Authorization: {_basic(USER, PASSWORD)}\r\n", "Authorization: Bearer token\r\n"):
            assert _ask(gateway, path, host, head) in (400, 404), path
        assert len(behind.heard) == before, path


@pytest.mark.req("ACC-03", "ACC-09")
@GUARDED
def test_a_page_without_a_sign_in_of_its_own_gets_one(gateway: Gateway, behind: Behind, site: Site) -> None:
    """Nobody, a guesser and a wrong name get 401 and never reach the server; the right password gets through and goes no further."""
    before = len(behind.heard)
    with gateway.client(site.name) as client:
        for auth in (None, (USER, ""), (USER, "admin"), ("admin", PASSWORD)):
            answer = client.get("/", auth=auth)
            assert answer.status_code == 401, auth
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert len(behind.heard) == before
        assert client.get("/some/page?q=1", auth=(USER, PASSWORD)).status_code == 200
    assert behind.heard[-1].path == "/some/page?q=1"
    assert "authorization" not in behind.heard[-1].headers


@GUARDED
def test_a_page_of_another_site_cannot_use_the_remembered_password(gateway: Gateway, site: Site) -> None:
    """The browser adds the password to any request; one that comes from elsewhere is refused all the same."""
    with gateway.client(site.name, auth=(USER, PASSWORD)) as client:
        assert client.post("/", headers={"Origin": gateway.url(site.name)}).status_code == 200
        for origin in ("https://evil.example", "null", f"{gateway.url(site.name)}.evil.example", gateway.url("")):
            assert client.post("/", headers={"Origin": origin}).status_code == 403, origin


@pytest.mark.parametrize(
    ("site", "path"),
    [
        ("prometheus", "/-/reload"),
        ("prometheus", "/-/quit"),
        ("prometheus", "/api/v1/admin/tsdb/delete_series"),
        ("prometheus", "/federate"),
        ("alertmanager", "/-/reload"),
    ],
)
def test_levers_of_the_servers_are_for_this_machine_only(gateway: Gateway, behind: Behind, site: str, path: str) -> None:
    """What stops a server, reloads it or deletes its data is not there, whoever asks."""
    before = len(behind.heard)
    with gateway.client(site, auth=(USER, PASSWORD)) as client:
        assert client.post(path).status_code == 404
    assert len(behind.heard) == before


@pytest.mark.parametrize("site", ["", "oncall"])
def test_servers_with_a_sign_in_of_their_own_hear_what_the_client_says(gateway: Gateway, behind: Behind, site: str) -> None:
    """The app's tokens and the on-call service's pass untouched, with the name that the client asked for."""
    with gateway.client(site) as client:
        assert client.get("/page", headers={"Authorization": "Bearer abc"}).status_code == 200
    heard = behind.heard[-1].headers
    assert heard["authorization"] == "Bearer abc"
    assert heard["host"] == gateway.url(site).removeprefix("https://")


@pytest.mark.req("ACC-10")
def test_clients_may_report_errors_and_not_look_at_them(gateway: Gateway, behind: Behind) -> None:
    """An SDK brings the public key of its project and gets through; the pages and the API stay shut."""
    with gateway.client("errors") as client:
        assert client.post("/api/1/envelope/?sentry_key=abc", content=b"{}").status_code == 200
        assert behind.heard[-1].headers["host"] == "localhost"
        for path in ("/", "/api/canonical/0/projects/", "/api/1/envelope/../../canonical/0/", "/api/x/envelope/"):
            assert client.get(path).status_code == 401, path


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2", "grafana.evil.example", ""])
def test_other_names_lead_nowhere(gateway: Gateway, behind: Behind, host: str) -> None:
    """A request for a name that is not ours reaches no server: no cache poisoned, no link to a stranger in a mail."""
    before = len(behind.heard)
    assert _ask(gateway, "/", host) in (400, 421)
    assert len(behind.heard) == before


def test_a_client_cannot_say_where_it_comes_from(gateway: Gateway, behind: Behind) -> None:
    """X-Forwarded-For is the gateway's word alone; limits per address can't be dodged with it."""
    with gateway.client() as client:
        client.get("/", headers={"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9", "X-Forwarded-Proto": "gopher"})
    heard = behind.heard[-1].headers
    assert (heard["x-forwarded-for"], heard["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert "forwarded" not in heard


def test_security_headers_are_on_every_answer(gateway: Gateway) -> None:
    """Also on errors; what a server sets itself stays, and nothing says which version of what answers."""
    with gateway.client() as client:
        for path in ("/", "/metrics"):
            headers = client.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "SAMEORIGIN"
            assert headers["Referrer-Policy"] == "same-origin"
            assert headers["Content-Security-Policy"] == "frame-ancestors 'self'"
            assert headers["Server"] == "nginx"
            assert "Strict-Transport-Security" not in headers
        own = client.get("/own-headers").headers
    assert own.get_list("Content-Security-Policy") == ["default-src 'none'"]
    assert own.get_list("X-Frame-Options") == ["DENY"]


def test_a_websocket_passes(gateway: Gateway) -> None:
    """Over TLS, in both directions."""
    context = gateway.tls_context()
    here = socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=30)
    with connect(gateway.url("grafana").replace("https", "wss") + "/ws", ssl=context, sock=here) as chat:
        chat.send("hello")
        assert chat.recv(timeout=30) == "hello"


def test_a_stream_passes_as_it_comes(gateway: Gateway, behind: Behind) -> None:
    """The first event is there while the server has not made the second one."""
    behind.second_half.clear()
    with gateway.client() as client, client.stream("GET", "/stream") as answer:
        pieces = answer.iter_text()
        assert next(pieces) == "data: first\n\n"
        behind.second_half.set()
        assert "".join(pieces) == "data: second\n\n"


def test_the_certificate_is_for_all_names_and_only_new_tls_is_spoken(gateway: Gateway) -> None:
    """Verified by name for the app and each page; a client that knows TLS 1.1 at most is turned away."""
    for site in (APP, *SITES):
        with (
            socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=30) as connection,
            gateway.tls_context().wrap_socket(connection, server_hostname=host_of(site, "localhost")) as wrapped,
        ):
            assert wrapped.version() == "TLSv1.3"
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "alert protocol version" in done.stderr


def test_what_the_gateway_notes_holds_no_secret(open_gateway: OpenGateway) -> None:
    """Its log has neither paths nor queries, passwords or whole addresses; the request id leads to the app's record."""
    gateway = open_gateway()
    with gateway.client("prometheus") as client:
        client.get("/canary-path?token=canary-query", auth=("canary-user", "canary-password"))
    with gateway.client() as client:
        client.get("/canary-path?token=canary-query", headers={"Cookie": "canary-cookie"})

    def noted() -> dict[str, dict[str, str]]:
        lines = gateway.output.read_text(encoding="utf-8").splitlines()
        return {line["status"]: line for line in map(json.loads, lines)}

    # A line is written when the answer is out.
    wait_until("both requests are noted", lambda: {"200", "401"} <= noted().keys())
    last = noted()["200"]
    text = gateway.output.read_text(encoding="utf-8")
    assert "canary" not in text
    assert '127.0.0.1"' not in text.replace('"upstream":"127.0.0.1', "")
    assert (last["status"], last["client"], last["request_id"]) == ("200", "127.0.0.0", "event-of-the-test")


class TestPublic:
    """A gateway that is open to others."""

    def test_plain_http_leads_to_https_and_serves_nothing(self, open_gateway: OpenGateway, behind: Behind) -> None:
        """Nobody's password crosses the network in the clear by a forgotten letter."""
        gateway = open_gateway(gateway_bind="0.0.0.0")
        before = len(behind.heard)
        for site in (APP, *SITES):
            with gateway.client(site.name, "http") as client:
                answer = client.get("/page?q=1", auth=(USER, PASSWORD))
            assert (answer.status_code, answer.headers["Location"]) == (308, f"{gateway.url(site.name)}/page?q=1")
        assert len(behind.heard) == before
        with gateway.client() as client:
            assert client.get("/").status_code == 200

    def test_an_acme_client_can_prove_who_we_are(self, open_gateway: OpenGateway) -> None:
        """Its answer in the folder is there over plain HTTP, for every name."""
        gateway = open_gateway(gateway_bind="0.0.0.0", gateway_host="watch.example", gateway_https_port=443)
        challenge = gateway.folder / "acme" / ".well-known" / "acme-challenge"
        challenge.mkdir(parents=True)
        (challenge / "abc").write_text("proof", encoding="ascii")
        for site in ("", "grafana"):
            with gateway.client(site, "http") as client:
                assert client.get("/.well-known/acme-challenge/abc").text == "proof"
                host = f"{site}.watch.example".lstrip(".")
                assert client.get("/", headers={"Host": host}).headers["Location"] == f"https://{host}/"

    def test_a_certificate_of_ones_own_is_served_and_remembered(self, open_gateway: OpenGateway, gateway: Gateway) -> None:
        """The files of the settings are used; browsers are told to stay with HTTPS, which a self-signed one must never do."""
        given = {"gateway_certificate": gateway.folder / "certificate.pem", "gateway_certificate_key": gateway.folder / "key.pem"}
        own = open_gateway(**given)
        pem = ssl.get_server_certificate(("127.0.0.1", own.tls_port), timeout=30)
        assert pem.split() == (gateway.folder / "certificate.pem").read_text("ascii").split()
        with own.client() as client:
            assert client.get("/").headers["Strict-Transport-Security"] == "max-age=31536000"
        with own.client(scheme="http") as client:
            assert "Strict-Transport-Security" not in client.get("/").headers
