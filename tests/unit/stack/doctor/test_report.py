"""The table, the JSON, and the command's words and exit codes."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from app.stack.doctor.components import processes
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Check, Finding, Scene
from app.stack.doctor.report import Result, as_json, is_healthy, print_end, print_result
from app.stack.doctor.walk import all_checks, look
from app.stack.errors import StackError
from app.stack.mode import Mode
from app.stack.paths import CHECKOUT
from app.stack.status import ComponentStatus
from tests.unit.stack.doctor.conftest import only

BROKEN = problem("It is broken.", "A wire is cut.", "Join it.")


def _result(findings: list[Finding]) -> Result:
    return Check("wire", "paths", lambda _: findings), findings


def _printed(*results: Result) -> str:
    output = StringIO()
    console = Console(file=output, width=100, highlight=False, markup=False)
    for result in results:
        print_result(console, result)
    print_end(console, results)
    return output.getvalue()


def test_a_problem_is_followed_by_cause_and_fix() -> None:
    """In the order in which they are read, the first fix again at the end."""
    lines = [line.strip() for line in _printed(_result(BROKEN), _result(ok("Fine."))).splitlines()]
    assert lines[0].startswith("✗ wire")
    assert lines[1:3] == ["cause  A wire is cut.", "fix    Join it."]
    assert "1 problem. Begin with the first: later ones are often its effects." in lines
    assert "First fix: Join it." in lines


def test_notes_are_no_failure() -> None:
    """They are shown, and nothing is broken."""
    result = _result(note("It could be better.", "Do it."))
    assert is_healthy([result])
    assert "Nothing is broken." in _printed(result)
    assert not is_healthy([result, _result(BROKEN)])


def test_what_a_server_says_moves_no_cursor() -> None:
    """Control characters in a server's words are shown, not obeyed."""
    assert "\x1b[2J" not in _printed(_result(problem("\x1b[2Jgone", "a", "b")))


def test_json_has_everything(scene: Scene) -> None:
    """Verdict, mode and each finding with its level."""
    report = json.loads(as_json(scene, [_result(BROKEN)]))
    assert report["healthy"] is False
    assert report["mode"] == "native"
    assert report["checks"] == [
        {"group": "paths", "name": "wire", "level": "problem", "what": "It is broken.", "cause": "A wire is cut.", "fix": "Join it."}
    ]


def test_a_check_that_fails_is_a_problem_and_the_rest_goes_on(scene: Scene) -> None:
    """Docker that can't be asked does not end the command."""

    def fail(_: Scene) -> list[Finding]:
        raise StackError("docker is not on the PATH.")

    results = list(look([Check("ports", "machine", fail), Check("wire", "paths", lambda _: ok("Fine."))], scene))
    assert [check.name for check, _ in results] == ["ports", "wire"]
    assert only(results[0][1])[1] == "docker is not on the PATH."


def test_without_a_stack_no_path_is_walked(scene: Scene) -> None:
    """One sentence instead of ten effects."""
    names = [check.name for check, _ in look(all_checks(), scene)]
    assert names[-1] == "processes"


def _status(state: str, detail: str = "", *, optional: bool = False) -> ComponentStatus:
    return ComponentStatus("redis", "Redis", state, detail, optional, "127.0.0.1:6379", 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("write: No space left on device", "The disk is full."),
        ("bind: Address already in use", "Another program has its port."),
        ("open /x: permission denied", "It may not read or write one of its files."),
        ("java.lang.OutOfMemoryError: Java heap space", "It ran out of memory."),
        ("max virtual memory areas vm.max_map_count [65530] is too low", "vm.max_map_count is too low."),
        ('FATAL: password authentication failed for user "nobet"', "A password in .env is not the one that the store was made with."),
        ("FATAL: database files are incompatible with server", "Its data is of another version of the program."),
        ("ConfigError: LOG_LEVEL is wrong", "Its settings can't be used."),
    ],
)
def test_the_last_words_of_a_component_name_the_cause(scene: Scene, monkeypatch: pytest.MonkeyPatch, log: str, cause: str) -> None:
    """What programs say when they die is put into words, with a fix for each."""
    scene.stack.paths.log_file("redis").write_text(f"started\n{log}\nbye\n")
    monkeypatch.setattr("app.stack.doctor.components.native_status", lambda _: [_status("failed", "exited too quickly")])
    what, told, _ = only(processes(scene))
    assert what == "Redis is failed: exited too quickly."
    assert told == cause


def test_unknown_last_words_are_shown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The telling line, and where the rest is."""
    scene.stack.paths.log_file("redis").write_text("hello\nfatal: the moon is full\nbye\n")
    monkeypatch.setattr("app.stack.doctor.components.native_status", lambda _: [_status("failed")])
    assert "fatal: the moon is full (all of it: " in only(processes(scene))[1]


def test_a_program_that_names_an_error_has_not_had_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elasticsearch prints the JVM's options at each start, and what to do when memory ends is among them."""
    scene.stack.paths.log_file("redis").write_text("JVM arguments [-XX:+HeapDumpOnOutOfMemoryError]\nbye\n")
    monkeypatch.setattr("app.stack.doctor.components.native_status", lambda _: [_status("failed")])
    assert "ran out of memory" not in only(processes(scene))[1]


def test_a_container_that_starts_is_no_problem(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is worth a wait."""
    starting = {"Service": "redis", "State": "running", "Health": "starting"}
    monkeypatch.setattr("app.stack.doctor.components.compose_status", lambda _: [starting])
    assert [finding.level.value for finding in processes(Scene(scene.stack, Mode.COMPOSE))] == ["note"]


def test_an_optional_component_that_is_stopped_is_a_note(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack is healthy without it."""
    others = [_status("healthy"), _status("stopped", optional=True)]
    monkeypatch.setattr("app.stack.doctor.components.native_status", lambda _: others)
    assert [finding.level.value for finding in processes(scene)] == ["note"]


@pytest.mark.parametrize(
    ("service", "what", "cause"),
    [
        ({"Service": "redis", "State": "exited", "ExitCode": 137}, "The container redis is exited.", "memory limit"),
        ({"Service": "redis", "State": "running", "Health": "unhealthy"}, "The container redis is unhealthy.", "the moon"),
        ({"Service": "redis", "State": "exited", "ExitCode": 0}, "The container redis is stopped.", "Somebody stopped it."),
        ({"Service": "redis", "State": "missing"}, "The container redis is missing.", "removed, or never made"),
        ({"Service": "redis", "State": "paused"}, "The container redis is paused.", "Somebody paused it."),
    ],
)
def test_containers(scene: Scene, monkeypatch: pytest.MonkeyPatch, service: dict[str, object], what: str, cause: str) -> None:
    """The same for containers: what Compose says, and their last words."""
    monkeypatch.setattr("app.stack.doctor.components.compose_status", lambda _: [service])
    monkeypatch.setattr("app.stack.doctor.components.compose", lambda *_, **__: "redis | fatal: the moon is full\n")
    found = only(processes(Scene(scene.stack, Mode.COMPOSE)))
    assert found[0] == what
    assert cause in found[1]


def _nobet_doctor(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "STACK_DIR": str(folder / "state"), "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "app.cli", "doctor", "--mode", "native", *arguments]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_without_a_stack(tmp_path: Path) -> None:
    """It fails, and its last lines say what to do."""
    done = _nobet_doctor(tmp_path, "processes")
    assert done.returncode == 1
    assert "✗ processes" in done.stdout
    assert "First fix: make up" in done.stdout


def test_the_command_lists_its_checks_and_refuses_others(tmp_path: Path) -> None:
    """Exit code 2 for a name that is none."""
    listed = _nobet_doctor(tmp_path, "--list")
    assert listed.returncode == 0
    assert {line.split(maxsplit=1)[1] for line in listed.stdout.splitlines()} == {check.name for check in all_checks()}
    done = _nobet_doctor(tmp_path, "lungs")
    assert done.returncode == 2
    assert done.stderr == "There is no check lungs. `nobet doctor --list` shows them.\n"
