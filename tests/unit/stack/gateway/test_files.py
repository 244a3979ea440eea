"""The gateway's files: made once, kept while they fit, made anew when they don't."""

import subprocess
from pathlib import Path

import pytest

from app.core.config import load_settings
from app.stack.errors import StackError
from app.stack.gateway import certificate
from app.stack.gateway.certificate import certificate_and_key
from app.stack.gateway.place import gateway_texts, write_gateway
from app.stack.gateway.sites import APP, SITES, host_of, in_container
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack
from tests.config.files import compose
from tests.unit.stack.conftest import OpenStack


def _files(stack: Stack) -> dict[str, bytes]:
    write_gateway(stack)
    return {file.name: file.read_bytes() for file in (stack.paths.etc / "gateway").iterdir()}


def test_a_second_start_changes_nothing(stack: Stack) -> None:
    """Neither a new salt nor a new certificate restarts a gateway that is in order; all of it is for the owner only."""
    assert _files(stack) == _files(stack)
    assert {file.stat().st_mode & 0o777 for file in (stack.paths.etc / "gateway").iterdir()} == {0o600}
    assert gateway_texts(stack)["gateway_certificate"].encode() == _files(stack)["certificate.pem"]


def test_the_password_is_kept_as_a_hash_only(stack: Stack, open_at: OpenStack) -> None:
    """No file that nginx reads holds it; a new password or user makes a new line."""
    before = _files(stack)
    assert stack.secret("GATEWAY_PASSWORD").encode() not in b"".join(before.values())
    assert before["users"].startswith(b"nobet:$2b$")
    assert _files(open_at(GATEWAY_PASSWORD="another-password-1"))["users"] != before["users"]
    assert _files(open_at(GATEWAY_USER="watch"))["users"].startswith(b"watch:")


def test_another_name_has_another_certificate(stack: Stack, open_at: OpenStack) -> None:
    """It names the app and every page."""
    before = _files(stack)
    after = _files(open_at(GATEWAY_HOST="watch.example"))
    assert after["certificate.pem"] != before["certificate.pem"]
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName"]
    names = subprocess.run(command, input=after["certificate.pem"], capture_output=True, check=True).stdout.decode()
    for site in (APP, *SITES):
        assert f"DNS:{host_of(site, 'watch.example')}" in names


def test_a_certificate_that_ends_soon_is_made_anew(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A month before its end the next start renews it."""
    before = _files(stack)["certificate.pem"]
    monkeypatch.setattr(certificate, "_RENEW_SECONDS", 398 * 24 * 3600)
    assert _files(stack)["certificate.pem"] != before


def test_without_openssl_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to make a certificate with: install it, or bring one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="install it, or set GATEWAY_CERTIFICATE"):
        certificate_and_key(load_settings(_env_file=None), tmp_path / "made")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"gateway_certificate": "a.pem"}, "belong together"),
        (
            {"gateway_certificate": "/nowhere/a.pem", "gateway_certificate_key": "/nowhere/b.pem"},
            "GATEWAY_CERTIFICATE: can.t read /nowhere",
        ),
    ],
)
def test_a_certificate_that_is_not_there_is_one_sentence(tmp_path: Path, given: dict[str, str], sentence: str) -> None:
    """A wrong path stops the start with the name of the setting."""
    with pytest.raises(StackError, match=sentence):
        certificate_and_key(load_settings(_env_file=None, **given), tmp_path)


def test_every_site_is_a_service_of_docker_compose_and_a_published_one(stack: Stack) -> None:
    """The addresses in the container's configuration are services on their own ports."""
    services = compose()["services"]
    for site in (APP, *SITES):
        service, port = in_container(site).split(":")
        assert any(entry.endswith(f":{port}") for entry in services[service]["ports"]), site
        assert f"http://{service}:{port};" in gateway_texts(stack)["gateway_config"]


def test_the_address_of_the_gateway_decides_what_plain_http_does(open_at: OpenStack) -> None:
    """On loopback it serves; open to others it leads to HTTPS, at the port that people see."""
    here = _files(open_at())["nginx.conf"]
    assert b"return 308" not in here
    behind = open_at(GATEWAY_BIND="0.0.0.0", GATEWAY_HTTPS_PORT="443")
    assert b"return 308 https://$host$request_uri;" in _files(behind)["nginx.conf"]
    one = _files(open_at(GATEWAY_BIND="10.0.0.1", GATEWAY_HTTPS_PORT="0", STACK_PORT_OFFSET="100"))["nginx.conf"]
    assert b"return 308 https://$host:8543$request_uri;" in one
    assert b"listen 10.0.0.1:8543 ssl;" in one
    assert b"listen 127.0.0.1:8543 ssl;" in one


def test_nothing_is_committed_that_the_gateway_is_rendered_from() -> None:
    """One home: there is no second nginx configuration in the checkout."""
    assert not [path for path in (CHECKOUT / "docker").rglob("*") if path.suffix == ".conf" and "nginx" in path.name]
