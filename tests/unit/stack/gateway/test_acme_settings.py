"""What the settings of ACME change in the stack, and that nothing changes without them."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.stack.acme.__main__ import FOLDER_IN_CONTAINER
from app.stack.acme.__main__ import main as keeper
from app.stack.choose import choose
from app.stack.commands import command_of
from app.stack.components import COMPONENTS
from app.stack.compose import compose_environment
from app.stack.errors import StackError
from app.stack.gateway.place import gateway_texts, write_gateway
from app.stack.stack import Stack
from tests.config.files import compose
from tests.unit.stack.conftest import OpenStack

ACME = {"GATEWAY_HOST": "watch.example.org", "GATEWAY_ACME_EMAIL": "owner@example.org"}


def _config(stack: Stack) -> str:
    write_gateway(stack)
    return (stack.paths.etc / "gateway" / "nginx.conf").read_text(encoding="utf-8")


def test_without_the_setting_nothing_is_different(stack: Stack) -> None:
    """No keeper, no profile, a certificate that nginx reads once, at its start."""
    for text in (_config(stack), gateway_texts(stack)["gateway_config"]):
        assert "$renewed" not in text
        assert re.search(r"ssl_certificate \S+certificate(\.pem)?;", text)
    assert "acme" not in {*choose(stack, strict=False).chosen, *choose(stack, strict=False).skipped}
    assert "COMPOSE_PROFILES" not in compose_environment(stack)
    assert gateway_texts(stack)["gateway_acme_ca"] == ""
    with pytest.raises(StackError, match="needs GATEWAY_ACME_EMAIL"):
        choose(stack, ["acme"])


def test_with_it_the_keeper_runs_and_nginx_reads_what_it_keeps(open_at: OpenStack) -> None:
    """Natively a component, which looks where nginx does; no address of a person is in its arguments."""
    stack = open_at(**ACME)
    live, text = stack.paths.secrets / "acme", _config(stack)
    assert f"default {live};" in text
    assert "ssl_certificate $renewed/certificate.pem;" in text
    assert "max-age=31536000" in text
    assert (live / "key.pem").stat().st_mode & 0o777 == 0o600
    chosen = choose(stack, ["acme"]).chosen["acme"]
    command = command_of(stack, COMPONENTS["acme"], chosen.source)
    assert f"--folder={live}" in command.argv
    assert f"root {stack.paths.root / 'acme'};" in text
    assert f"--web-root={stack.paths.root / 'acme'}" in command.argv
    assert "owner@example.org" not in " ".join(command.argv)
    assert (command.env["GATEWAY_ACME_EMAIL"], command.env["GATEWAY_HOST"]) == ("owner@example.org", "watch.example.org")


def test_in_containers_a_volume_joins_the_two(open_at: OpenStack) -> None:
    """`up` turns the service on beside what somebody turned on; both sides name the same folder."""
    stack = open_at(**ACME, COMPOSE_PROFILES="errors")
    text = gateway_texts(stack)["gateway_config"]
    assert compose_environment(stack)["COMPOSE_PROFILES"] == "errors,acme"
    assert f"default {FOLDER_IN_CONTAINER};" in text
    assert f"root {FOLDER_IN_CONTAINER}/challenges;" in text
    services = compose()["services"]
    assert f"certificates:{FOLDER_IN_CONTAINER}" in services["acme"]["volumes"]
    assert f"certificates:{FOLDER_IN_CONTAINER}:ro" in services["gateway"]["volumes"]
    assert services["gateway"]["depends_on"]["acme"] == {"condition": "service_healthy", "required": False}
    group = services["gateway"]["user"].partition(":")[2]
    dockerfile = Path(__file__).parents[4] / "docker" / "app" / "Dockerfile"
    assert f"--owner=nobet --group={group} --mode=2750 {FOLDER_IN_CONTAINER}" in dockerfile.read_text(encoding="utf-8")


def test_the_authority_of_the_server_reaches_the_container(open_at: OpenStack, tmp_path: Path) -> None:
    """As a file; a wrong path is one sentence."""
    (tmp_path / "ca.pem").write_text("an authority", encoding="utf-8")
    assert gateway_texts(open_at(**ACME, GATEWAY_ACME_CA=str(tmp_path / "ca.pem")))["gateway_acme_ca"] == "an authority"
    with pytest.raises(StackError, match="GATEWAY_ACME_CA: can't read /nowhere"):
        gateway_texts(open_at(**ACME, GATEWAY_ACME_CA="/nowhere"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"GATEWAY_ACME_EMAIL": "a@b.example"}, "needs a public name, and GATEWAY_HOST is localhost"),
        ({**ACME, "GATEWAY_HOST": "watch.localhost"}, "needs a public name"),
        ({**ACME, "GATEWAY_HOST": "203.0.113.5"}, "needs a public name"),
        ({**ACME, "GATEWAY_CERTIFICATE": "a.pem", "GATEWAY_CERTIFICATE_KEY": "b.pem"}, "exclude each other"),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start(open_at: OpenStack, given: dict[str, str], sentence: str) -> None:
    """Before anything is asked of an authority."""
    with pytest.raises(StackError, match=sentence):
        write_gateway(open_at(**given))


def test_wrong_use_is_told(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 without the setting, by either door; a gateway that does not run is exit code 1."""
    assert keeper(["show"]) == 2
    assert "GATEWAY_ACME_EMAIL" in capsys.readouterr().err
    done = CliRunner().invoke(app, ["certificate", "renew", "--mode", "native"])
    assert (done.exit_code, "GATEWAY_ACME_EMAIL is not set" in done.output) == (2, True)
    for words in (["certificate", "--help"], ["certificate", "renew", "--help"]):
        assert "Exit code 0" in " ".join(CliRunner().invoke(app, words).output.split())
