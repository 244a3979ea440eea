"""Compose mode, as far as it goes without an engine."""

import dataclasses
import io
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from rich.console import Console

from app.core.config import Settings
from app.stack import mode
from app.stack.compose import compose_environment, is_healthy, prepare_files, secret_texts
from app.stack.mode import Mode, effective
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack
from app.stack.supervisor import Supervisor
from app.stack.tables import print_compose


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    return found


def test_every_secret_file_that_compose_mounts_is_written(stack: Stack) -> None:
    """The files under `secrets` in docker-compose.yml are exactly those that `up` makes."""
    wanted = {Path(entry["file"]).name for entry in _compose()["secrets"].values()}
    assert wanted <= secret_texts(stack).keys()
    prepare_files(stack)
    folder = stack.paths.secrets / "compose"
    assert wanted <= {file.name for file in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_files_for_containers_are_readable_for_their_users(stack: Stack) -> None:
    """Containers run as other users than the files' owner; the folder around them keeps everybody else out."""
    prepare_files(stack)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (stack.paths.secrets / "compose").iterdir()} == {0o444}


def test_a_second_start_rewrites_no_secret(stack: Stack) -> None:
    """Running containers keep the files that they mounted."""
    prepare_files(stack)
    files = list((stack.paths.secrets / "compose").iterdir())
    before = {file: file.stat().st_ino for file in files}
    prepare_files(stack)
    assert {file: file.stat().st_ino for file in files} == before


def test_required_variables_of_compose_are_generated() -> None:
    """Whatever docker-compose.yml insists on is a setting of ours."""
    required = set(re.findall(r"\$\{(\w+):\?", (CHECKOUT / "docker-compose.yml").read_text()))
    assert required
    assert {name.lower() for name in required} <= Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("service", "healthy"),
    [
        ({"State": "running", "Health": "healthy"}, True),
        ({"State": "running", "Health": ""}, True),
        ({"State": "running", "Health": "starting"}, False),
        ({"State": "running", "Health": "unhealthy"}, False),
        ({"State": "exited", "ExitCode": 0, "Once": True}, True),
        ({"State": "exited", "ExitCode": 1, "Once": True}, False),
        ({"State": "exited", "ExitCode": 0, "Once": False}, False),
        ({"State": "missing", "Once": False}, False),
        ({"State": "restarting", "Health": ""}, False),
    ],
)
def test_health_of_a_service(service: dict[str, Any], healthy: bool) -> None:
    """Running and passing its check, or a task that ended well; nothing else is healthy."""
    assert is_healthy(service) is healthy


@pytest.mark.parametrize(
    ("engine", "plugin", "expected"),
    [(True, True, Mode.COMPOSE), (True, False, Mode.NATIVE), (False, True, Mode.NATIVE)],
)
def test_auto_takes_containers_only_where_engine_and_plugin_answer(
    monkeypatch: pytest.MonkeyPatch, stack: Stack, engine: bool, plugin: bool, expected: Mode
) -> None:
    """A docker command without an engine, or without the compose plugin, is no reason to fail: the native way works."""
    monkeypatch.setattr(mode, "_answers", lambda *command: engine if command == ("docker", "info") else plugin)
    assert effective(Mode.AUTO, stack) is expected
    assert effective(Mode.NATIVE, stack) is Mode.NATIVE
    assert effective(Mode.COMPOSE, stack) is Mode.COMPOSE


def test_an_engine_that_hangs_does_not_hang_the_command(monkeypatch: pytest.MonkeyPatch, stack: Stack, tmp_path: Path) -> None:
    """`docker info` may wait for ever for a dead engine; the choice falls to native after the limit."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexec sleep 600\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(mode, "_SECONDS", 0.2)
    assert effective(Mode.AUTO, stack) is Mode.NATIVE


def test_what_runs_natively_is_looked_at_natively(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    """`make status` after `make up MODE=native` shows that stack, also where an engine answers."""
    monkeypatch.setattr(mode, "_answers", lambda *_: True)
    monkeypatch.setattr(Supervisor, "is_running", lambda _: True)
    assert effective(Mode.AUTO, stack) is Mode.NATIVE


def test_a_second_stack_has_ports_and_a_name_of_its_own(stack: Stack) -> None:
    """With STACK_PORT_OFFSET everything is published elsewhere, and Compose does not take the first stack's containers for its own."""
    second = dataclasses.replace(stack, settings=stack.settings.model_copy(update={"stack_port_offset": 100}))
    environment = compose_environment(second)
    assert (environment["PORT_APP"], environment["PORT_GRAFANA"]) == ("8100", "3100")
    assert environment["COMPOSE_PROJECT_NAME"] == "nobet-100"
    assert "COMPOSE_PROJECT_NAME" not in compose_environment(dataclasses.replace(stack, explicit={}))


def test_alertmanager_is_given_every_file_that_its_configuration_names(stack: Stack) -> None:
    """With mail and Slack set up as well: a file that is not mounted would keep each alert from the on-call service."""
    set_up = {"smtp_username": "nobet", "slack_webhook_url": SecretStr("https://hooks.example/T0")}
    given = dataclasses.replace(stack, settings=stack.settings.model_copy(update=set_up))
    named = set(re.findall(r"/run/secrets/([a-z_]+)", secret_texts(given)["alertmanager_config"]))
    mounted = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["alertmanager"]["secrets"]
    assert named == {"oncall_token", "smtp_password", "slack_webhook_url"}
    assert named <= {entry for entry in mounted if isinstance(entry, str)}


def test_the_table_of_containers_fits_a_screen(stack: Stack) -> None:
    """In 80 columns a service's ports and its state are whole, and the address is the one that it is published at."""
    ports = [{"URL": "127.0.0.1", "PublishedPort": port} for port in (16686, 4318, 16687, 0)]
    services: list[dict[str, Any]] = [
        {"Service": "elasticsearch-exporter", "State": "running", "Health": "healthy", "Publishers": []},
        {"Service": "jaeger", "State": "running", "Health": "healthy", "Publishers": ports},
        {"Service": "gateway", "State": "exited", "Publishers": [{"URL": "0.0.0.0", "PublishedPort": 8443}]},
    ]
    out = Console(file=io.StringIO(), width=80)
    print_compose(out, stack, services)
    lines = [line.split() for line in out.file.getvalue().splitlines()[1:4]]  # type: ignore[attr-defined]
    assert lines == [
        ["elasticsearch-exporter", "–", "healthy"],
        ["gateway", "0.0.0.0:8443", "exited"],
        ["jaeger", "127.0.0.1:4318,", ":16686,", ":16687", "healthy"],
    ]
