"""A real nginx with the rendered configuration, in front of stand-ins for the servers behind it."""

import http.server
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import bcrypt
import httpx
from websockets.sync.server import ServerConnection, serve

from app.core.config import Settings, load_settings
from app.stack.acme.shelf import Shelf
from app.stack.commands import library_path
from app.stack.components.gateway import NGINX
from app.stack.environment import base_environment
from app.stack.gateway.certificate import certificate_and_key
from app.stack.gateway.config import HEALTH_PATH, Place, render_gateway
from app.stack.gateway.sites import Site
from app.stack.install import home_of, install, program_of
from app.stack.paths import CHECKOUT
from app.stack.privileges import as_ordinary_user
from tests.support.processes import free_port
from tests.support.waiting import wait_until

PASSWORD: Final = "a-password-of-the-tests"
USER: Final = "nobet"
_ANSWER_SECONDS: Final = 30


@dataclass
class Heard:
    """A request that reached a server behind the gateway."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Behind:
    """The servers behind: one for HTTP, one for WebSockets, and all that they heard."""

    http_port: int
    chat_port: int
    heard: list[Heard] = field(default_factory=list)
    opened: int = 0
    """Connections that the HTTP server took."""
    second_half: threading.Event = field(default_factory=threading.Event)
    """Lets a stream at /stream go on."""


@contextmanager
def servers_behind() -> Iterator[Behind]:
    """Answer 200 to everything, echo what a WebSocket says, for as long as the block lasts."""
    behind = Behind(0, 0)
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(behind))
    web.daemon_threads = True
    with serve(_echo, "127.0.0.1", 0) as chat:
        behind.http_port, behind.chat_port = web.server_address[1], chat.socket.getsockname()[1]
        for server in (web, chat):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield behind
        finally:
            behind.second_half.set()
            web.shutdown()
            web.server_close()
            chat.shutdown()


def _echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def _handler(behind: Behind) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            behind.opened += 1
            super().setup()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            behind.heard.append(Heard(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            if self.path == "/own-headers":
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.send_header("X-Frame-Options", "DENY")
            if self.path == "/stream":
                self._stream()
                return
            self.send_header("X-Event-ID", "event-of-the-test")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_GET  # noqa: N815 (the name that the library calls)

        def _stream(self) -> None:
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._chunk(b"data: first\n\n")
            behind.second_half.wait(_ANSWER_SECONDS)
            self._chunk(b"data: second\n\n")
            self._chunk(b"")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


class Gateway:
    """nginx, in a folder of its own, for as long as the block lasts. `settings` are those of GATEWAY_*, in lower case."""

    def __init__(self, folder: Path, behind: Behind, app_port: int = 0, **settings: Any) -> None:
        self.folder: Final = folder
        self.settings: Final[Settings] = load_settings(_env_file=None, **settings)
        self.plain_port: Final = free_port()
        self.tls_port: Final = free_port()
        self.output: Final = folder / "output.log"
        self._ports: Final = {"app": app_port or behind.http_port, "grafana": behind.chat_port}
        self._behind: Final = behind
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None, "it doesn't run"
        return self._process.pid

    @property
    def live(self) -> Shelf:
        """What is served with ACME."""
        return Shelf(self.folder / "live")

    def url(self, site: str = "", scheme: str = "https") -> str:
        """The address of a site by its name; of the app without one."""
        host = f"{site}.{self.settings.gateway_host}" if site else self.settings.gateway_host
        return f"{scheme}://{host}:{self.tls_port if scheme == 'https' else self.plain_port}"

    def client(self, site: str = "", scheme: str = "https", source: str = "127.0.0.1", **options: Any) -> httpx.Client:
        """A client of one site. Its connections come from `source`."""
        transport = httpx.HTTPTransport(verify=False, local_address=source)
        host = self.url(site).removeprefix("https://") if scheme == "https" else self.url(site, "http").removeprefix("http://")
        port = self.tls_port if scheme == "https" else self.plain_port
        return httpx.Client(
            base_url=f"{scheme}://127.0.0.1:{port}", headers={"Host": host}, transport=transport, timeout=_ANSWER_SECONDS, **options
        )

    def raw(self, data: bytes = b"") -> socket.socket:
        """A plain connection on which `data` was sent."""
        connection = socket.create_connection(("127.0.0.1", self.plain_port), timeout=_ANSWER_SECONDS)
        connection.sendall(data)
        return connection

    def tls_context(self) -> ssl.SSLContext:
        """Trusts the gateway's own certificate, and nothing else."""
        return ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))

    def write(self) -> Path:
        """Write what nginx reads; returns its configuration."""
        (self.folder / "acme").mkdir(parents=True, exist_ok=True)
        certificate, key = certificate_and_key(self.settings, self.folder / "made")
        if self.settings.gateway_acme_email:
            self.live.seed(certificate, key)
        place = Place(
            bind=self.settings.gateway_bind,
            plain_port=self.plain_port,
            tls_port=self.tls_port,
            tls_seen=self.tls_port,
            address=self._address,
            certificate=str(self.folder / "certificate.pem"),
            key=str(self.folder / "key.pem"),
            users=str(self.folder / "users"),
            challenges=str(self.folder / "acme"),
            live=str(self.live.folder) if self.settings.gateway_acme_email else "",
            temporary=str(self.folder),
        )
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
        (self.folder / "users").write_text(f"{USER}:{hashed}\n", encoding="ascii")
        (self.folder / "certificate.pem").write_bytes(certificate)
        (self.folder / "key.pem").write_bytes(key)
        (self.folder / "nginx.conf").write_text(render_gateway(self.settings, place), encoding="utf-8")
        return self.folder / "nginx.conf"

    def _address(self, site: Site) -> str:
        return f"127.0.0.1:{self._ports.get(site.port, self._behind.http_port)}"

    def __enter__(self) -> Self:
        config, cache = self.write(), CHECKOUT / ".stack" / "cache"
        source = NGINX.sources[0]
        install(source, NGINX, cache, lambda _text: None)
        home = home_of(source, NGINX, cache)
        command = [*as_ordinary_user(), program_of(source, home, sys.executable), "-e", "stderr", "-p", str(self.folder), "-c", str(config)]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                command, env={**base_environment(), "LD_LIBRARY_PATH": library_path(home)}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until("nginx answers", self._answers, _ANSWER_SECONDS)
        except AssertionError as error:
            self._stop()
            raise AssertionError(f"{error}\n{self.output.read_text()[-2000:]}") from error
        return self

    def _answers(self) -> bool:
        with self.client(scheme="http") as client:
            return client.get(HEALTH_PATH).status_code == 200

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_ANSWER_SECONDS)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
