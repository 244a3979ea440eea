"""What is to be undone survives the death of who did it."""

from pathlib import Path

import pytest

from app.stack.drill.journal import Journal, Step

pytestmark = pytest.mark.req("ALR-21")


def test_steps_are_undone_backwards_and_the_file_goes(tmp_path: Path) -> None:
    """The last fault is undone first; when nothing is left, there is no file."""
    path = tmp_path / "undo.jsonl"
    journal = Journal(path)
    journal.plan({"do": "start", "what": "redis"})
    journal.plan({"do": "start", "what": "postgres"})
    undone: list[str] = []
    assert journal.undo(lambda step: undone.append(step["what"])) == []
    assert undone == ["postgres", "redis"]
    assert not path.exists()


def test_another_process_finds_what_a_killed_one_planned(tmp_path: Path) -> None:
    """The step is on disk before the fault is done."""
    Journal(tmp_path / "undo.jsonl").plan({"do": "start", "what": "redis"})
    undone: list[Step] = []
    assert Journal(tmp_path / "undo.jsonl").undo(undone.append) == []
    assert undone == [{"do": "start", "what": "redis"}]


def test_a_step_that_fails_stays_and_stops_no_other(tmp_path: Path) -> None:
    """What can't be undone now is tried again by the next drill."""
    journal = Journal(tmp_path / "undo.jsonl")
    for name in ("redis", "postgres", "voice"):
        journal.plan({"do": "start", "what": name})
    undone: list[str] = []

    def perform(step: Step) -> None:
        if step["what"] == "postgres":
            raise OSError("no room")
        undone.append(step["what"])

    assert journal.undo(perform) == ["start postgres: no room"]
    assert undone == ["voice", "redis"]
    assert [len(Journal(tmp_path / "undo.jsonl")), len(journal)] == [1, 1]


def test_what_came_before_a_drill_is_kept(tmp_path: Path) -> None:
    """Between two drills only the fault of the first is undone."""
    journal = Journal(tmp_path / "undo.jsonl")
    journal.plan({"do": "reload", "what": "prometheus"})
    journal.plan({"do": "start", "what": "redis"})
    undone: list[str] = []
    journal.undo(lambda step: undone.append(step["what"]), keep=1)
    assert undone == ["redis"]
    assert len(Journal(tmp_path / "undo.jsonl")) == 1
