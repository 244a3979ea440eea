"""The drill on the screen: a line for each alert as soon as it is decided."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from app.stack.drill.model import Drill, Rule
from app.stack.drill.proof import FIRING, INCIDENT, NOT_FIRING, Proof
from app.stack.drill.run import Result

_NAME: Final = 38


class Table:
    """Prints line by line, so that a pipe has it at once, too."""

    def __init__(self, console: Console) -> None:
        self._console: Final = console

    def head(self, scale: float) -> None:
        """What the columns are."""
        self._console.print(f"Windows, holding times and waits are multiplied by {scale:g}. Seconds after the fault, and after its end:")
        self._console.print(f"{'':2}{'alert':{_NAME}}{'fires':>8}{'told':>8}{'over':>8}{'said so':>9}", style="bold")

    def begin(self, drills: Sequence[Drill]) -> None:
        """Faults are about to be done."""
        for drill in drills:
            self._console.print(f"· {drill.how}", style="dim", soft_wrap=True)

    def row(self, _result: Result, proof: Proof) -> None:
        """An alert is decided."""
        fires, told, over, said = times_of(proof)
        mark, style = ("✗", "red") if proof.failure else ("✓", "green")
        self._console.print(f"{mark} {proof.expected.alert:{_NAME}}{fires:>8}{told:>8}{over:>8}{said:>9}", style=style)
        if proof.failure:
            self._console.print(f"  {proof.failure}", style="red", soft_wrap=True)

    def end(self, results: Sequence[Result], left: Sequence[Rule]) -> None:
        """The sum."""
        proofs = [proof for result in results for proof in result.proofs]
        proven = sum(not proof.failure for proof in proofs)
        self._console.print(f"\n{proven} of {len(proofs)} alerts came and went as they should.", style="bold")
        for rule in left:
            self._console.print(f"  unproven: {rule.title}", style="yellow")
        if left or proven < len(proofs):
            self._console.print("Look next: the rule's heading in docs/runbook.md, and `nobet drill ALERT` for one alone.")


def times_of(proof: Proof) -> tuple[str, str, str, str]:
    """Fires, told, over, said so: whole tenths of seconds, or a dash."""
    told = max((at for stage, at in proof.up.items() if stage not in (FIRING, INCIDENT)), default=None)
    said = max((at for stage, at in proof.down.items() if stage != NOT_FIRING), default=None)
    times = (proof.up.get(FIRING), told, proof.down.get(NOT_FIRING), said)
    fires, heard, over, ended = (f"{at:.1f}" if at is not None else "–" for at in times)
    return fires, heard, over, ended
