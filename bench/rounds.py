"""Turns in rounds: in each round everybody has a turn, in an order drawn anew, so that no one always finds the warmer machine.

Says while it works which round it is, whose turn, and how long it will take.
"""

import random
import time
from collections.abc import Iterator, Sequence

from rich.console import Console


def turns(names: Sequence[str], rounds: int, seed: int, say: Console) -> Iterator[tuple[int, str]]:
    """Number of the round and name, `rounds` times for each name. The same seed gives the same order."""
    dice = random.Random(seed)  # noqa: S311 (an order, no secret)
    start = time.monotonic()
    done, total = 0, rounds * len(names)
    for number in range(rounds):
        order = list(names)
        dice.shuffle(order)
        for name in order:
            if say.is_terminal:
                say.print(f"  round {number + 1}/{rounds}  {name:<40} {_left(start, done, total):>14}", end="\r")
            yield number, name
            done += 1
        say.print(f"  round {number + 1}/{rounds} done; {_left(start, done, total)}" + " " * 40)


def _left(start: float, done: int, total: int) -> str:
    if not done:
        return "just begun"
    seconds = (time.monotonic() - start) / done * (total - done)
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"
