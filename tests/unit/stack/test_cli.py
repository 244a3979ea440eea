"""The `nobet` command as people run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.stack.env_file import read_env_file
from app.stack.paths import CHECKOUT

SECONDS = 60


def _nobet(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "STACK_DIR": str(folder / "state"), "PYTHONPATH": str(CHECKOUT), **environment}
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_token_is_printed_and_nothing_else(tmp_path: Path) -> None:
    """The output can be used in a command substitution as it is."""
    done = _nobet(tmp_path, "token")
    assert done.returncode == 0
    assert done.stdout.strip() == read_env_file(tmp_path / "state" / ".env")["METRICS_TOKEN"]


def test_status_of_a_stack_that_does_not_run(tmp_path: Path) -> None:
    """It says so, says what to do, and fails."""
    done = _nobet(tmp_path, "status", "--mode", "native")
    assert done.returncode == 1
    assert done.stdout == "The stack is not running. Start it: make up\n"


def test_status_as_json(tmp_path: Path) -> None:
    """Scripts get every component with its state, and the verdict."""
    done = _nobet(tmp_path, "status", "--mode", "native", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["healthy"] is False
    assert {item["name"]: item["state"] for item in report["components"]}["elasticsearch"] == "stopped"


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    """Stopping twice is no failure."""
    done = _nobet(tmp_path, "down", "--mode", "native")
    assert (done.returncode, done.stdout) == (0, "Nothing was running.\n")


def test_a_failure_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    """What goes wrong is said on standard error, in one line, with exit code 1."""
    done = _nobet(tmp_path, "up", "postgre", "--mode", "native")
    assert done.returncode == 1
    assert done.stderr.startswith("There is no component 'postgre'; there are: ")
    assert done.stderr.count("\n") == 1


def test_a_wrong_setting_is_named_without_its_value(tmp_path: Path) -> None:
    """Settings that can't be used stop every command with the variable's name."""
    done = _nobet(tmp_path, "status", WEB_CONCURRENCY="many")
    assert done.returncode == 1
    assert "WEB_CONCURRENCY" in done.stderr
    assert "Traceback" not in done.stderr


def test_clean_lists_before_it_removes(tmp_path: Path) -> None:
    """--dry-run removes nothing; with --yes everything but .env goes."""
    state = tmp_path / "state"
    _nobet(tmp_path, "token")
    (state / "data").mkdir(exist_ok=True)
    (state / "data" / "file").write_text("x")
    listed = _nobet(tmp_path, "clean", "--dry-run")
    assert str(state / "data") in listed.stdout
    assert (state / "data" / "file").exists()
    assert _nobet(tmp_path, "clean", "--yes").returncode == 0
    assert [path.name for path in state.iterdir()] == [".env"]


def test_clean_asks(tmp_path: Path) -> None:
    """Without an answer nothing is removed."""
    _nobet(tmp_path, "token")
    (tmp_path / "state" / "data").mkdir(exist_ok=True)
    done = _nobet(tmp_path, "clean")
    assert done.returncode != 0
    assert (tmp_path / "state" / "data").exists()


@pytest.mark.parametrize("command", ["up", "down", "status", "story", "demo", "token", "clean", "backup", "restore"])
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    """--help of each command is there and makes no file."""
    done = _nobet(tmp_path, command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert not (tmp_path / "state").exists()


def test_help_is_quick_because_it_imports_little(tmp_path: Path) -> None:
    """The command line itself loads neither settings nor servers' clients."""
    heavy = {"pydantic", "elasticsearch", "httpx", "psutil", "supervisor"}
    code = f"import sys, app.cli; print(sorted({{name.split('.')[0] for name in sys.modules}} & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stdout.strip() == "[]"
