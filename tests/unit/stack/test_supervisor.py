"""What is handed to the supervisor, and what is read from its log."""

import configparser
from pathlib import Path

import pytest

from app.stack.commands import Command
from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.fingerprint import fingerprint, record, recorded
from app.stack.launch import LATER_TARGETS, announce
from app.stack.stack import Stack
from app.stack.status import count_restarts
from app.stack.supervisor import Supervisor, program_section


def _parsed(text: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    return parser["program:redis"]


def test_words_and_values_survive_the_supervisors_format(stack: Stack, tmp_path: Path) -> None:
    """Spaces, quotes, percent signs and commas arrive in the program as they were."""
    from supervisor.datatypes import dict_of_key_value_pairs  # type: ignore[import-untyped]

    env = {"PLAIN": "x", "COMMA": "a,b=c", "PERCENT": "100%", "QUOTE": 'say "x" twice', "EMPTY": ""}
    section = _parsed(program_section(COMPONENTS["redis"], Command(["/a b/c", "--x=%d", 'y"z'], env, tmp_path), stack.paths))
    assert dict_of_key_value_pairs(section["environment"].replace("%%", "%")) == env
    assert section["command"] == '"/a b/c" --x=%%d "y\\"z"'


@pytest.mark.parametrize("value", ["a\nb", '"quoted"', "both ' and \"", "x ;y", "x #y"])
def test_a_value_that_can_not_be_handed_over_is_named(stack: Stack, tmp_path: Path, value: str) -> None:
    """What the format can't carry ends in a sentence with the variable's name, not in a broken program; the value is not shown."""
    with pytest.raises(StackError, match=r"^SENTRY_DSN can't be handed to a process") as caught:
        program_section(COMPONENTS["redis"], Command(["x"], {"SENTRY_DSN": value}, tmp_path), stack.paths)
    assert value not in str(caught.value)


def test_without_a_supervisor_nothing_runs(stack: Stack) -> None:
    """A stack that was never started answers questions all the same."""
    supervisor = Supervisor(stack.paths)
    assert not supervisor.is_running()
    assert supervisor.processes() == {}


def test_a_stale_socket_is_no_supervisor(stack: Stack) -> None:
    """What a killed supervisor left behind does not count as running."""
    stack.paths.supervisor_socket.touch()
    assert not Supervisor(stack.paths).is_running()


def test_restarts_are_counted_since_the_last_start_on_purpose(tmp_path: Path) -> None:
    """A start, a death and a restart count one; a stop by hand begins anew; so does a new supervisor."""
    log = tmp_path / "supervisord.log"
    log.write_text(
        "INFO supervisord started with pid 1\nINFO spawned: 'app' with pid 2\nINFO spawned: 'old' with pid 3\n"
        "INFO supervisord started with pid 9\nINFO spawned: 'app' with pid 10\nWARN exited: app (terminated by SIGKILL; not expected)\n"
        "INFO spawned: 'app' with pid 11\nINFO spawned: 'redis' with pid 12\nINFO stopped: redis (exit status 0)\n"
        "INFO spawned: 'redis' with pid 13\n"
    )
    assert count_restarts(log) == {"app": 1, "redis": 0}


def test_no_log_means_no_restarts(tmp_path: Path) -> None:
    """Before the first start there is nothing to count."""
    assert count_restarts(tmp_path / "none.log") == {}


def test_a_fingerprint_tells_process_from_configuration(stack: Stack, tmp_path: Path) -> None:
    """A changed file is a reload, a changed variable a restart; unchanged things have the same fingerprint."""
    component, command = COMPONENTS["prometheus"], Command(["prometheus"], {"A": "1"}, tmp_path)
    file = stack.paths.etc / "prometheus" / "prometheus.yml"
    file.parent.mkdir()
    file.write_text("a: 1")
    first = fingerprint(component, command, stack.paths)
    assert fingerprint(component, command, stack.paths) == first
    file.write_text("a: 2")
    changed_file = fingerprint(component, command, stack.paths)
    assert changed_file.process == first.process
    assert changed_file.config != first.config
    assert fingerprint(component, Command(["prometheus"], {"A": "2"}, tmp_path), stack.paths).process != first.process


def test_a_fingerprint_is_remembered(stack: Stack, tmp_path: Path) -> None:
    """The next command knows what this one started; nothing is known before, or of a damaged record."""
    value = fingerprint(COMPONENTS["redis"], Command(["redis"], {}, tmp_path), stack.paths)
    assert recorded("redis", stack.paths) is None
    record("redis", value, stack.paths)
    assert recorded("redis", stack.paths) == value
    (stack.paths.run / "redis" / "fingerprint.json").write_text("{")
    assert recorded("redis", stack.paths) is None


def test_finished_builds_are_announced_to_prometheus(stack: Stack) -> None:
    """The prepared targets replace those that left the component out."""
    later, targets = stack.paths.etc / LATER_TARGETS, stack.paths.etc / "prometheus" / "targets"
    for folder, text in ((later, "- targets: [x]\n"), (targets, "[]\n")):
        folder.mkdir(parents=True)
        (folder / "jaeger.yml").write_text(text)
    announce(stack.paths.etc)
    assert (targets / "jaeger.yml").read_text() == "- targets: [x]\n"
