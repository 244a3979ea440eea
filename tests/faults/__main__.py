"""The kill loop from the command line: `make faults RUNS=200 SEED=1`, `make faults HOURS=1`.

Exit code 0 when every run kept the promise, 1 when one did not, 2 for wrong use. Each
run has a seed of its own, printed beside its result; SEED=that RUNS=1 repeats it alone.
"""

import argparse
import datetime as dt
import io
import itertools
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass, field, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.core.terminal import screen, show
from tests.faults.oracle import Judgement
from tests.faults.run import Run
from tests.faults.schedule import plan_of
from tests.support.launch import launch_fork
from tests.support.stack import RunningStack, new_stack

DEFAULT_RUNS = 10


@dataclass(slots=True)
class Totals:
    """What all runs together came to."""

    runs: int = 0
    records: int = 0
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    damaged: int = 0
    failing: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, seed: int, judgement: Judgement, faults: Counter[str]) -> None:
        """One more run."""
        self.runs += 1
        self.records += judgement.records
        for name in ("lost", "doubled", "invented", "damaged"):
            setattr(self, name, getattr(self, name) + len(getattr(judgement, name)))
        self.faults += faults
        if not judgement.kept:
            self.failing.append(seed)


def main() -> int:
    """Run, tell, and say by the exit code whether the promise was kept."""
    options = _options()
    first = random.randrange(1 << 32) if options.seed is None else options.seed
    deadline = time.monotonic() + options.hours * 3600 if options.hours else float("inf")
    seeds = itertools.count(first) if options.hours else range(first, first + options.runs)
    console = screen()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # progress shows in a pipe, too
    length = f"{options.hours:g} hours" if options.hours else f"{options.runs} runs"
    console.print(f"Kill loop, first seed {first}, {length}. Starting Elasticsearch …")
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell in the background has SIGINT ignored, and children inherit that
        signal.signal(number, signal.default_int_handler)
    totals = Totals()
    began = time.monotonic()
    stack = new_stack()
    try:
        stack.need("elasticsearch")
        for seed in seeds:
            if time.monotonic() >= deadline:
                break
            _one(stack, seed, options, totals, console)
    except KeyboardInterrupt:
        console.print("Stopped by hand.")
    finally:
        stack.close()
    totals.seconds = time.monotonic() - began
    show(console, lambda out: out.print(_table(totals)))
    for seed in totals.failing:
        console.print(f"Repeat alone: make faults SEED={seed} RUNS=1 STEPS={options.steps}", style="red")
    if options.record:
        _record(options.record, first, totals)
    console.print("docs/faults.md says which cases there are and what else proves them.")
    return 1 if totals.failing else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make faults", description="Kill producers, shipper and Elasticsearch at random; nothing may be lost or doubled."
    )
    parser.add_argument("--runs", type=_positive, default=DEFAULT_RUNS, help="how many runs (RUNS=)")
    parser.add_argument("--seed", type=int, help="seed of the first run; the next ones count up (SEED=; default: random)")
    parser.add_argument("--hours", type=float, default=0.0, help="go on for so long instead of a number of runs (HOURS=)")
    parser.add_argument("--steps", type=_positive, default=8, help="faults in each run (STEPS=)")
    parser.add_argument("--record", type=Path, help="append the totals to this file, one JSON object a line (RECORD=)")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 1_000_000:
        raise argparse.ArgumentTypeError("must be between 1 and 1,000,000")
    return number


def _one(stack: RunningStack, seed: int, options: argparse.Namespace, totals: Totals, console: Console) -> None:
    folder = Path(tempfile.mkdtemp(prefix="nobet-faults-"))
    began = time.monotonic()
    done: Counter[str] = Counter()
    try:
        with redirect_stdout(io.StringIO()):  # what the parts say is of no interest among a hundred runs
            run = Run(stack, folder, plan_of(seed, options.steps), launch=launch_fork)
            done = run.done
            judgement = run.execute()
    except Exception as error:  # a run that can't be judged has not kept the promise
        judgement = Judgement(counters=[f"not judged, {type(error).__name__}: {error}"])
    totals.add(seed, judgement, done)
    did = " ".join(f"{name}×{count}" for name, count in sorted(done.items()))
    verdict = "kept  " if judgement.kept else "BROKEN"
    console.print(
        f"{totals.runs:4d}  seed {seed}  {verdict}  {judgement}  {time.monotonic() - began:.0f} s  {did}",
        style="" if judgement.kept else "red",
    )
    if judgement.kept:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        console.print(f"      what it left: {folder}")


def _table(totals: Totals) -> Table:
    table = Table(title="Kill loop")
    table.add_column("what")
    table.add_column("how many", justify="right")
    rows = {
        "runs": totals.runs,
        "records owed": totals.records,
        "lost": totals.lost,
        "doubled": totals.doubled,
        "invented": totals.invented,
        "damaged": totals.damaged,
        "runs that broke a promise": len(totals.failing),
        "minutes": round(totals.seconds / 60),
    }
    for name, count in (*rows.items(), *((f"fault: {name}", count) for name, count in sorted(totals.faults.items()))):
        table.add_row(name, f"{count:,}")
    return table


def _record(path: Path, first: int, totals: Totals) -> None:
    found: dict[str, object] = {"when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "first_seed": first}
    found |= {part.name: getattr(totals, part.name) for part in fields(totals)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    sys.exit(main())
