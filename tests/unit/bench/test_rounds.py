"""Turns are fair and can be repeated; figures are compared within a round."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from bench.cpu import cpu_seconds, resident_mib
from bench.rounds import turns
from bench.stats import ratios, spread

pytestmark = pytest.mark.req("PRF-03")

NAMES = ("a", "b", "c", "d", "e")


def _turns(seed: int) -> list[tuple[int, str]]:
    return list(turns(NAMES, 4, seed, Console(file=io.StringIO())))


def test_everybody_has_a_turn_in_each_round() -> None:
    """Five names, four rounds: each name once in each round."""
    drawn = _turns(1)
    assert [number for number, _ in drawn] == [number for number in range(4) for _ in NAMES]
    assert all(sorted(name for number, name in drawn if number == this) == sorted(NAMES) for this in range(4))


def test_the_order_is_drawn_anew_and_can_be_repeated() -> None:
    """The same seed gives the same turns, and no two rounds need to have the same order."""
    assert _turns(1) == _turns(1)
    assert _turns(1) != _turns(2)
    orders = {tuple(name for number, name in _turns(1) if number == this) for this in range(4)}
    assert len(orders) > 1


def test_progress_says_which_round_and_how_long() -> None:
    """A line for each round, with what is left."""
    out = io.StringIO()
    list(turns(NAMES, 2, 1, Console(file=out, width=100)))
    assert "round 1/2 done" in out.getvalue()
    assert "round 2/2 done; 0 s left" in out.getvalue()


def test_a_ratio_is_taken_within_the_round() -> None:
    """A machine that is twice as slow in one round changes no ratio; rounds that only one of them has are left out."""
    found = ratios({0: 2.0, 1: 4.0, 2: 2.2}, {0: 1.0, 1: 2.0})
    assert (found.median, found.least, found.most, found.rounds) == (2.0, 2.0, 2.0, 2)


def test_spread_is_median_and_quarters() -> None:
    """Of one figure all are the same; of none there is an error instead of a nought."""
    found = spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert (found.median, found.low, found.high, found.least, found.most) == (3.0, 2.0, 4.0, 1.0, 100.0)
    assert spread([7.0]).as_dict() == {"median": 7.0, "low": 7.0, "high": 7.0, "least": 7.0, "most": 7.0, "rounds": 1}
    with pytest.raises(ValueError, match="every round failed"):
        spread([])


def test_the_cpu_clock_is_the_process_s_own() -> None:
    """What a child says of its own CPU time is what is read from outside, all of its threads included; a process that is gone has none."""
    code = (
        "import sys, threading, time\n"
        "def work():\n"
        "    while time.thread_time() < 0.05: pass\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "print(time.process_time(), flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        own = float(child.stdout.readline())
        assert own > 0.05
        assert own <= cpu_seconds(child.pid) < own + 0.05
        assert 1 < resident_mib(child.pid) <= resident_mib(child.pid, "VmHWM")
        child.communicate("\n")
        gone = child.pid
    with pytest.raises(OSError, match=r"Invalid argument|No such process"):
        cpu_seconds(gone)
    assert resident_mib(gone) == 0.0
    assert cpu_seconds(os.getpid()) > 0
