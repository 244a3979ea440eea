"""`nobet doctor --production`: each thing that must not go to production is named with its cause and its fix."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from typer.testing import CliRunner

from app import cli
from app.stack.compose import prepare_files
from app.stack.doctor import exposure, production
from app.stack.doctor.model import Finding, Level, Scene
from app.stack.env_file import GENERATED
from app.stack.gateway.certificate import certificate_and_key
from app.stack.gateway.sites import APP, SITES, host_of
from app.stack.mode import Mode
from app.stack.stack import Stack
from tests.support.receiver import Asked, Receiver, Reply
from tests.unit.stack.conftest import OpenStack

STRONG = "a-strong-enough-secret-of-the-tests"


def _problems(findings: list[Finding]) -> list[str]:
    """What is wrong; each with cause and fix."""
    found = [finding for finding in findings if finding.level is Level.PROBLEM]
    assert all(finding.cause and finding.fix for finding in found)
    return [finding.what for finding in found]


@pytest.fixture
def scene(open_at: OpenStack) -> Callable[..., Scene]:
    """A native stack with these settings."""
    return lambda **settings: Scene(open_at(**settings), Mode.NATIVE)


def _ready(folder: Path, *names: str, days: int = 60) -> dict[str, str]:
    """Settings of a stack that may go to production, with a certificate that an authority of the test signed."""
    ca, key, request, chain = (folder / name for name in ("ca.pem", "key.pem", "request.pem", "chain.pem"))

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, stdin=subprocess.DEVNULL)

    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *kind, "-subj", "/CN=An authority", "-keyout", str(folder / "ca.key"), "-out", str(ca))
    openssl("req", *kind, "-subj", f"/CN={names[0]}", "-keyout", str(key), "-out", str(request))
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\n")
    signed = ("-CA", str(ca), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", str(days), "-extfile", str(extensions))
    openssl("x509", "-req", "-in", str(request), *signed, "-out", str(chain))
    key.chmod(0o600)
    return {
        "ENVIRONMENT": "production",
        "GATEWAY_BIND": "0.0.0.0",
        "GATEWAY_HOST": "watch.example",
        "GATEWAY_CERTIFICATE": str(chain),
        "GATEWAY_CERTIFICATE_KEY": str(key),
        "GRAFANA_URL": "https://grafana.watch.example",
        "ONCALL_PUBLIC_URL": "https://oncall.watch.example",
        "ALERT_EMAIL_TO": "watch@example.org",
    }


NAMES = [host_of(site, "watch.example") for site in (APP, *SITES)]


@pytest.mark.req("ACC-06")
def test_a_stack_that_is_ready_has_no_problem(scene: Callable[..., Scene], tmp_path: Path) -> None:
    """What `make up` makes, with a certificate and addresses of one's own, passes every row that needs no running stack."""
    ready = scene(**_ready(tmp_path, *NAMES))
    ready.stack.paths.root.chmod(0o700)
    prepare_files(ready.stack)
    for look in (production.environment, production.secrets, production.secret_files, production.certificate, production.settings):
        assert _problems(look(ready)) == [], look.__name__


@pytest.mark.req("ACC-06")
def test_a_stack_for_trials_is_refused(scene: Callable[..., Scene]) -> None:
    """Development settings are the first thing to be told."""
    assert _problems(production.environment(scene())) == ["ENVIRONMENT is development."]
    assert _problems(production.environment(scene(ENVIRONMENT="production", ENABLE_ERROR_ENDPOINTS="true"))) == [
        "/crash and /debug answer."
    ]


@pytest.mark.req("ACC-06")
@pytest.mark.parametrize("value", ["admin", "changeme", "password", "short"])
@pytest.mark.parametrize("name", ["GRAFANA_ADMIN_PASSWORD", "ELASTICSEARCH_ADMIN_PASSWORD", "GATEWAY_PASSWORD", "ONCALL_TOKEN"])
def test_a_secret_that_everybody_guesses_is_refused(scene: Callable[..., Scene], name: str, value: str) -> None:
    """Defaults and short ones, of any service."""
    assert _problems(production.secrets(scene(**{name: value}))) == [f"{name} can be guessed."]


def test_a_secret_that_is_used_twice_is_refused(scene: Callable[..., Scene]) -> None:
    """One that leaks must not open a second door."""
    found = _problems(production.secrets(scene(GATEWAY_PASSWORD=STRONG, ONCALL_PASSWORD=STRONG)))
    assert len(found) == 1
    assert "have the same value" in found[0]
    assert STRONG not in found[0]


def test_a_missing_secret_is_refused(scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one is an open door."""
    monkeypatch.setattr(production, "_secrets", lambda _: iter([(GENERATED[0], "")]))
    assert _problems(production.secrets(scene())) == [f"{GENERATED[0]} is empty."]


@pytest.mark.req("ACC-07")
@pytest.mark.parametrize("name", [".env", "secrets", "secrets/redis_password", "etc/postgres"])
def test_a_secret_that_others_can_read_is_refused(scene: Callable[..., Scene], name: str) -> None:
    """The file, or the folder around it, is named."""
    found = scene()
    root = found.stack.paths.root
    root.chmod(0o700)
    for folder in ("secrets", "etc/postgres"):
        (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    (root / "secrets" / "redis_password").write_text(STRONG)
    (root / "secrets" / "redis_password").chmod(0o600)
    assert _problems(production.secret_files(found)) == []
    for path in (root / name, *(root / name).parents):  # a file in a shut folder is safe
        if path.is_relative_to(root / "secrets") or path.is_relative_to(root / "etc") or path == root / name:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert any(str(root / name) in what for what in _problems(production.secret_files(found)))


@pytest.mark.parametrize(
    ("names", "days", "wrong"),
    [
        (NAMES[:-1], 60, f"The certificate is not for {NAMES[-1]}."),
        (["other.example"], 60, "The certificate is not for watch.example"),
        (NAMES, 3, "The gateway's certificate ends within a week."),
    ],
)
def test_a_certificate_that_will_not_do_is_refused(
    scene: Callable[..., Scene], tmp_path: Path, names: list[str], days: int, wrong: str
) -> None:
    """Wrong names and a near end are told before people see them."""
    (found,) = _problems(production.certificate(scene(**_ready(tmp_path, *names, days=days))))
    assert found.startswith(wrong)


def test_missing_tls_is_refused(scene: Callable[..., Scene], tmp_path: Path) -> None:
    """An open gateway without a certificate that browsers trust, or with the key of another one."""
    assert _problems(production.certificate(scene(GATEWAY_BIND="0.0.0.0"))) == ["The gateway is open and signs its certificate itself."]
    ready = _ready(tmp_path, *NAMES)
    other = tmp_path / "ca.key"
    mixed = scene(**{**ready, "GATEWAY_CERTIFICATE_KEY": str(other)})
    assert _problems(production.certificate(mixed)) == ["Certificate and key do not belong together."]
    own = scene(**{**ready, "GATEWAY_CERTIFICATE": str(tmp_path / "ca.pem"), "GATEWAY_CERTIFICATE_KEY": str(other)})
    assert "The gateway's certificate is self-signed." in _problems(production.certificate(own))


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"CORS_ORIGINS": "*"}, "Every web page may call the app."),
        ({"FORWARDED_ALLOW_IPS": "*"}, "Everybody may say which address they come from."),
        ({"GATEWAY_BIND": "0.0.0.0", "GRAFANA_URL": "https://g.example"}, "ONCALL_PUBLIC_URL is http://127.0.0.1:8030."),
    ],
)
def test_a_setting_for_trials_is_refused(scene: Callable[..., Scene], settings: dict[str, str], wrong: str) -> None:
    """Settings that open a door or send people nowhere."""
    assert _problems(production.settings(scene(**settings))) == [wrong]


class _Servers(Receiver):
    """Every server of the stack in one: answers each path with one status."""

    def __init__(self, statuses: dict[str, int]) -> None:
        self._statuses = statuses
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """What the test said, else 401."""
        return Reply(self._statuses.get(asked.path, 401), b"{}")


@contextmanager
def _answering(statuses: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with _Servers(statuses) as servers:
        monkeypatch.setattr(Stack, "url", lambda _, __: f"http://{servers.address}")
        monkeypatch.setattr(exposure, "_redis", lambda *_: 0)
        yield


@pytest.mark.req("ACC-01", "ACC-02", "ACC-04")
@pytest.mark.parametrize(
    ("path", "who"), [("/_cluster/health", "elasticsearch"), ("/metrics", "app"), ("/crash", "app"), ("/api/org", "grafana")]
)
def test_a_door_that_opens_without_a_key_is_refused(
    scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch, path: str, who: str
) -> None:
    """Elasticsearch without security, open metrics, error endpoints, anonymous Grafana."""
    with _answering({}, monkeypatch):
        assert _problems(exposure.doors(scene())) == []
    with _answering({path: 200}, monkeypatch):
        assert f"{who} answers 200 to {path} without a key." in _problems(exposure.doors(scene()))


def test_a_redis_without_a_password_is_refused(scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked in its own words."""
    found: list[Finding] = []
    opened = scene()
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: _Open())
    assert exposure._redis(opened, found) == 1
    assert _problems(found) == ["Redis answers without a password."]


class _Open:
    """A connection to a Redis that asks for nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def sendall(self, _: bytes) -> None:
        """Take it."""

    def recv(self, _: int) -> bytes:
        """What an open Redis says."""
        return b"+PONG\r\n"


@pytest.mark.req("ACC-09")
@pytest.mark.parametrize(
    ("address", "refused"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("10.0.0.5", True), ("::", True)]
)
def test_an_open_port_is_refused(scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch, address: str, refused: bool) -> None:
    """Whatever listens beyond loopback and is not the gateway is named with its port, natively and in containers."""
    monkeypatch.setattr(exposure, "runs", lambda _: frozenset({"redis"}))
    found = scene()
    gateway = found.stack.port("gateway_tls")
    monkeypatch.setattr(exposure, "_native", lambda _: iter([("redis-server", address, 6379), ("nginx", "0.0.0.0", gateway)]))
    assert _problems(exposure.listeners(found)) == ([f"redis-server listens on {address}:6379."] if refused else [])
    services = [{"Service": "redis", "Publishers": [{"URL": address, "PublishedPort": 6379}, {"URL": "", "PublishedPort": 0}]}]
    monkeypatch.setattr(exposure, "compose_status", lambda _: services)
    in_containers = Scene(found.stack, Mode.COMPOSE)
    assert _problems(exposure.listeners(in_containers)) == ([f"redis listens on {address}:6379."] if refused else [])


def test_a_page_without_a_sign_in_is_refused(scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway is asked for each page, as somebody outside would."""
    with _answering({"/": 401, "/metrics": 404}, monkeypatch):
        assert _problems(exposure.pages(scene())) == []
    with _answering({"/": 200, "/metrics": 404}, monkeypatch):
        assert len(_problems(exposure.pages(scene()))) == len([site for site in SITES if not site.signs_in])
    with _answering({"/metrics": 200}, monkeypatch):
        assert len(_problems(exposure.pages(scene()))) == len(SITES)


def test_the_command_says_it_and_fails(open_at: OpenStack) -> None:
    """Exit code 1 with a trial's settings; the rows are those of --list."""
    open_at(STACK_PORT_OFFSET="2900")
    runner = CliRunner()
    done = runner.invoke(cli.app, ["doctor", "--production", "--mode", "native"])
    assert done.exit_code == 1
    assert "ENVIRONMENT is development." in done.output
    listed = runner.invoke(cli.app, ["doctor", "--production", "--list"]).output
    rows = [[check.group, check.name] for check in production.production_checks()]
    assert [line.split(maxsplit=1) for line in listed.splitlines()] == rows


@pytest.mark.parametrize(
    ("names", "days", "more", "sentence"),
    [
        (NAMES, 60, {}, ""),
        (NAMES[:-1], 60, {}, f"The certificate is not for {NAMES[-1]}."),
        (NAMES, 3, {}, "The gateway's certificate ends within a week."),
        (NAMES, 60, {"GATEWAY_ACME_DIRECTORY": "https://acme-staging-v02.example/dir"}, "The certificate is one for trials."),
    ],
)
def test_with_acme_the_served_certificate_counts(
    scene: Callable[..., Scene],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    days: int,
    more: dict[str, str],
    sentence: str,
) -> None:
    """The files of the stack say nothing about what the authority gave."""
    chain = Path(_ready(tmp_path, *names, days=days)["GATEWAY_CERTIFICATE"]).read_bytes()
    monkeypatch.setattr(production, "served_certificate", lambda _stack: chain)
    open_to_all = scene(GATEWAY_BIND="0.0.0.0", GATEWAY_HOST="watch.example", GATEWAY_ACME_EMAIL="a@b.example", **more)
    assert _problems(production.certificate(open_to_all)) == ([sentence] if sentence else [])


def test_without_a_certificate_yet_the_command_that_says_why_is_named(scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """Self-signed although an authority is asked; and a gateway that doesn't run is no verdict."""
    open_to_all = scene(GATEWAY_BIND="0.0.0.0", GATEWAY_HOST="watch.example", GATEWAY_ACME_EMAIL="a@b.example")
    own, _key = certificate_and_key(open_to_all.stack.settings, open_to_all.stack.paths.secrets)
    monkeypatch.setattr(production, "served_certificate", lambda _stack: own)
    (found,) = production.certificate(open_to_all)
    assert (found.what, found.fix) == ("The authority has given no certificate yet.", "nobet certificate")

    def nobody(_stack: Stack) -> bytes:
        raise ConnectionRefusedError

    monkeypatch.setattr(production, "served_certificate", nobody)
    assert [found.level for found in production.certificate(open_to_all)] == [Level.NOTE]
