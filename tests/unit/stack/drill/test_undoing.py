"""Faults on real files and processes, done by one life of the drill and undone by the next."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.stack.drill.hands import Hands
from app.stack.drill.journal import Journal
from app.stack.stack import Stack
from tests.support.waiting import wait_until


@pytest.fixture
def victim() -> Iterator[psutil.Process]:
    """A process that does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


@pytest.fixture
def hands(stack: Stack) -> Hands:
    """Those of a first life."""
    return Hands(stack, Journal(stack.paths.run / "drill-undo.jsonl"))


def next_life(stack: Stack) -> list[str]:
    """A new process works off the list; what failed."""
    successor = Hands(stack, Journal(stack.paths.run / "drill-undo.jsonl"))
    return successor.journal.undo(successor.perform)


def test_files_are_put_back(stack: Stack, hands: Hands) -> None:
    """A changed file has its old content again, a new one is gone, a moved one is back."""
    changed, new, moved = (stack.paths.etc / name for name in ("changed.yml", "new.yml", "moved.yml"))
    changed.write_text("before")
    moved.write_text("here")
    hands.write(changed, "after")
    hands.write(changed, "after that")
    hands.write(new, "more")
    hands.move(moved, stack.paths.run / "elsewhere.yml")
    assert [changed.read_text(), new.exists(), moved.exists()] == ["after that", True, False]
    assert next_life(stack) == []
    assert [changed.read_text(), new.exists(), moved.read_text()] == ["before", False, "here"]


def test_what_was_started_is_ended_and_the_disk_is_free_again(stack: Stack, hands: Hands) -> None:
    """Processes that do harm end; files that take room go."""
    filler = stack.paths.data / "filler"
    others = psutil.Process().children()  # servers of other tests, when they run in this process too
    hands.fill(filler, 1 << 20)
    hands.spawn([sys.executable, "-c", "import time; time.sleep(600)"])
    children = [child for child in psutil.Process().children() if child not in others]
    assert len(children) == 1
    assert filler.stat().st_size == 1 << 20
    assert next_life(stack) == []
    assert not filler.exists()
    psutil.wait_procs(children, timeout=10)
    assert all(not child.is_running() or child.status() == psutil.STATUS_ZOMBIE for child in children)


def test_a_frozen_process_goes_on(stack: Stack, hands: Hands, victim: psutil.Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP is undone by the next life, too."""
    monkeypatch.setattr(hands, "_members", lambda _component: [victim])
    hands.pause("elasticsearch")
    wait_until("the process standing still", lambda: victim.status() == psutil.STATUS_STOPPED)
    assert next_life(stack) == []
    wait_until("the process going on", lambda: victim.status() != psutil.STATUS_STOPPED)


def test_a_stranger_with_the_same_number_is_left_alone(stack: Stack, hands: Hands, victim: psutil.Process) -> None:
    """Process ids are used again: one that was born at another time is not ours to end."""
    hands.journal.plan({"do": "end", "what": "python", "pids": [[victim.pid, victim.create_time() - 60]]})
    assert next_life(stack) == []
    assert victim.is_running()


def test_faults_are_private(stack: Stack, hands: Hands) -> None:
    """The list may hold configuration: only its owner reads it."""
    hands.write(Path(stack.paths.etc / "some.yml"), "text")
    assert (stack.paths.run / "drill-undo.jsonl").stat().st_mode & 0o077 == 0
