"""`nobet drill`: what it prints, what it writes, and that nothing stays broken."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from app.core.terminal import screen
from app.stack.drill.arena import Arena
from app.stack.drill.catalogue import DRILLS, UNPROVABLE
from app.stack.drill.chain import Chain
from app.stack.drill.hands import Hands
from app.stack.drill.journal import Journal
from app.stack.drill.model import Drill
from app.stack.drill.own import end_kept, kept_port, own_stack
from app.stack.drill.pace import Pace, read_rules, rules_of
from app.stack.drill.receivers import Receivers
from app.stack.drill.report import Facts, write_report
from app.stack.drill.rows import rows_of, unproven
from app.stack.drill.run import Result, rounds, run_round
from app.stack.drill.table import Table
from app.stack.drill.traffic import Traffic, Visitor
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack

JOURNAL: Final = "drill-undo.jsonl"
"""In the run folder of the stack that is drilled."""


REPORT: Final = CHECKOUT / "docs" / "drill-report.md"
_USUAL_RATE: Final = 3.0


def run(stack: Stack, names: Sequence[str], scale: float, report: Path | None, *, here: bool, keep: bool) -> int:
    """Drill the named alerts, or all. 0 when each was proven, 1 when not. Raises StackError for what can't be drilled."""
    if not stack.settings.is_trial:
        raise StackError(
            f"A drill breaks things on purpose: it runs in development and test only, and this is {stack.settings.environment}."
        )
    drills = chosen(names)
    console = screen()
    with _interrupted_by_signals(), Receivers(kept_port(stack) if keep else 0) as receivers:
        if here:
            strangers = [drill.proves[0].alert for drill in drills if drill.own_only]
            if names and strangers:
                raise StackError(f"{', '.join(strangers)} needs the drill's own stack: leave out --here.")
            drills = [drill for drill in drills if not drill.own_only]
            return _drill(stack, drills, scale, None, console, report, whole=not names)
        console.print("A stack of its own is started for the drill; yours is left alone.")
        with own_stack(stack, receivers, scale, console, keep=keep) as own:
            return _drill(own, drills, scale, receivers, console, report or (None if names else REPORT), whole=not names)


def show_list() -> int:
    """Print what can be drilled, and what can't with the reason."""
    console = screen()
    width = max(len(expected.alert) for drill in DRILLS for expected in drill.proves)
    for drill in DRILLS:
        for expected in drill.proves:
            console.print(f"{expected.alert:{width}}  {drill.how}", soft_wrap=True)
    for alert, reason in UNPROVABLE.items():
        console.print(f"{alert:{width}}  not drilled: {reason}", soft_wrap=True)
    console.print("\nDrill some of them: nobet drill RedisDown HighErrorRate. All: make drill")
    return 0


def end(stack: Stack) -> int:
    """End the stack that a drill with --keep left. Raises StackError when there is none."""
    end_kept(stack)
    screen().print("The drill's stack is ended and its folder removed.")
    return 0


def chosen(names: Sequence[str]) -> list[Drill]:
    """The drills that prove these alerts, in the order of the catalogue. Raises StackError for a name that none proves."""
    known = {expected.alert for drill in DRILLS for expected in drill.proves}
    unknown = [name for name in names if name not in known]
    if unknown:
        reasons = "".join(f" {name}: {UNPROVABLE[name]}." for name in unknown if name in UNPROVABLE)
        raise StackError(f"No drill proves {', '.join(unknown)}.{reasons} `nobet drill --list` shows what there is.")
    return [drill for drill in DRILLS if not names or any(expected.alert in names for expected in drill.proves)]


def _drill(
    stack: Stack, drills: Sequence[Drill], scale: float, receivers: Receivers | None, console: Console, report: Path | None, *, whole: bool
) -> int:
    hands = Hands(stack, Journal(stack.paths.run / JOURNAL))
    if not hands.supervisor.is_running():
        raise StackError("The native stack does not run. Start it with `make up MODE=native`, or drill without --here.")
    _finish_earlier(hands, console)
    arena = Arena(stack, hands, Pace(hands, scale), Chain(stack, receivers), receivers)
    table, results = Table(console), list[Result]()
    rules = read_rules(CHECKOUT / "prometheus" / "rules") if not whole else rules_of(stack)
    problems: list[str] = []
    try:
        arena.pace.hurry()
        table.head(scale)
        with Traffic(stack.url("app"), _usual, _USUAL_RATE):
            for batch in rounds(drills):
                table.begin(batch)
                results += run_round(arena, batch, table.row)
                if report:  # after each one: whoever ends the drill early has what was seen
                    write_report(report, results, rules, scale, Facts.of(arena), whole=whole)
    finally:
        with _undisturbed(console):
            problems = arena.undo(0)
    if problems:
        raise StackError(f"Not everything could be undone: {'; '.join(problems)}. Run `nobet drill` again: it begins with that.")
    left = unproven(rules, rows_of(results)) if whole else []
    table.end(results, left)
    if report:
        console.print(f"Written: {report}", soft_wrap=True)
    failed = any(result.failure or any(proof.failure for proof in result.proofs) for result in results)
    return 1 if failed or left else 0


def _finish_earlier(hands: Hands, console: Console) -> None:
    """Undo what a killed drill left behind."""
    if len(hands.journal):
        console.print("An earlier drill was killed; what it left broken is mended first.")
        if problems := hands.journal.undo(hands.perform):
            raise StackError(f"What an earlier drill left can't be undone: {'; '.join(problems)}.")


def _usual(visitor: Visitor) -> None:
    """What goes on all the time: reading, now and then a turn of a call, and a chat that breaks off."""
    visitor.get("/feed")
    if visitor.every(4):
        visitor.call("turns", {"speech": "a table for four at eight please"})
    if visitor.number % 60 == 0:
        visitor.vanish()


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """SIGTERM ends a drill as Ctrl-C does: with everything undone."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _undisturbed(console: Console) -> Iterator[None]:
    """Nobody interrupts the undoing."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def patience(_number: int, _frame: FrameType | None) -> None:
        sys.stderr.write("The faults are being undone; a moment.\n")

    for number in before:
        signal.signal(number, patience)
    console.print("Undoing what is left …", style="dim")
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
