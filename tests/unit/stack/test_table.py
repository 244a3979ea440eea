"""The component table: complete, and free of secrets where people can see them."""

import re

import pytest

from app.core.config import Settings
from app.core.ports import PORTS
from app.stack.commands import command_of
from app.stack.components import COMPONENTS
from app.stack.env_file import GENERATED
from app.stack.model import Component
from app.stack.prepare import prepare
from app.stack.stack import Stack
from app.stack.supervisor import program_section
from tests.unit.stack.conftest import OpenStack

EVERY = pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS.keys())


@EVERY
def test_every_listener_is_in_the_port_table(component: Component) -> None:
    """Each component has a port, all of them are declared in app.core.ports, and the probe asks one of its own."""
    assert component.ports
    assert set(component.ports) <= PORTS.keys()
    assert component.probe.port in component.ports


def test_no_two_components_share_a_port() -> None:
    """Two components can't be after the same port."""
    names = [name for component in COMPONENTS.values() for name in component.ports]
    assert len(names) == len(set(names))


@EVERY
def test_what_it_needs_exists(component: Component) -> None:
    """Dependencies, sources and time limits are there for every component."""
    assert set(component.depends_on) <= COMPONENTS.keys()
    assert component.sources
    assert component.ready_seconds > 0
    assert component.stop_seconds > 0


@EVERY
@pytest.mark.parametrize("offset", ["0", "700"])
def test_no_secret_is_in_a_command_line(component: Component, offset: str, open_at: OpenStack) -> None:
    """Anybody on the machine can read a process list; no secret of the stack appears in one."""
    stack = open_at(STACK_PORT_OFFSET=offset)
    secrets = [stack.secret(name) for name in GENERATED]
    for source in component.sources:
        words = " ".join(command_of(stack, component, source).argv)
        assert not [secret for secret in secrets if secret in words]


@EVERY
def test_templates_name_secrets_in_the_environment_only(component: Component) -> None:
    """Arguments can't even refer to a secret."""
    assert not re.search(r"\{(secret|quoted)\[", " ".join(component.arguments))


@EVERY
def test_its_secrets_are_settings(component: Component) -> None:
    """What is handed to our own processes exists as a secret setting."""
    assert {name.lower() for name in component.secrets} <= Settings.model_fields.keys()


@EVERY
def test_ports_of_a_second_stack_are_shifted(component: Component, open_at: OpenStack) -> None:
    """With an offset no unshifted port is left in the command or the environment, so that two stacks never meet."""
    stack = open_at(STACK_PORT_OFFSET="2007")
    command = command_of(stack, component, component.sources[0])
    text = " ".join([*command.argv, *(value for value in command.env.values() if str(stack.paths.root) not in value)])
    for number in PORTS.values():
        assert not re.search(rf":{number}\b", text)


@EVERY
def test_the_supervisor_gets_log_signal_and_time(component: Component, stack: Stack) -> None:
    """Every program has a log file, a stop signal and a bound for stopping, and is started by us only."""
    section = program_section(component, command_of(stack, component, component.sources[0]), stack.paths)
    assert f"stdout_logfile={stack.paths.log_file(component.name)}\n" in section
    assert f"stopsignal={component.stop_signal}\nstopwaitsecs={component.stop_seconds}\n" in section
    assert "autostart=false" in section
    assert "autorestart=true" in section


def test_the_shipper_gets_no_password_but_its_own(stack: Stack) -> None:
    """Least privilege: the shipper may add documents; it never sees the administrator's or a store's password."""
    given = command_of(stack, COMPONENTS["shipper"], COMPONENTS["shipper"].sources[0]).env.values()
    own = {"METRICS_TOKEN", "ELASTICSEARCH_SHIPPER_PASSWORD"}
    assert stack.secret("ELASTICSEARCH_SHIPPER_PASSWORD") in given
    for name in set(GENERATED) - own:
        assert not [value for value in given if stack.secret(name) in value], name


def test_the_app_gets_nothing_of_elasticsearch(stack: Stack) -> None:
    """The app talks to PostgreSQL and Redis; of Elasticsearch it knows neither user nor password."""
    given = command_of(stack, COMPONENTS["app"], COMPONENTS["app"].sources[0]).env
    assert not [name for name in given if name.startswith("ELASTICSEARCH")]
    assert stack.secret("POSTGRES_PASSWORD") in given["DATABASE_URL"]


def test_prepare_makes_the_folders_that_a_component_writes_to(stack: Stack) -> None:
    """A component without a step of its own still gets its data and run folders, for its owner only."""
    prepare(stack, COMPONENTS["redis"], stack.paths.cache)
    for folder in (stack.paths.data / "redis", stack.paths.run / "redis"):
        assert folder.stat().st_mode & 0o777 == 0o700
