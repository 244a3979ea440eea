"""What the commands of the bench have in common: who takes part, in how many rounds, in what order, and what comes of it."""

import argparse
import random
from collections.abc import Callable, Collection
from typing import Any

from rich.console import Console

from app.core.terminal import screen
from bench.results import save
from bench.stopping import stop_in_order

Found = dict[str, Any]


def options_of(name: str, about: str, names: Collection[str], *, rounds: int) -> argparse.ArgumentParser:
    """The options that each has. `name` is the module's below `bench`, and that of its file of figures."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=about)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="seed of the order (default: drawn)")  # noqa: S311
    parser.add_argument("--save", action="store_true", help=f"keep the figures in bench/results/{name}.json")
    return parser


def parse(parser: argparse.ArgumentParser, kind: str, names: Collection[str]) -> argparse.Namespace:
    """What was asked for, with all names where none was given; ends the program when a name is unknown."""
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no such {kind}: {', '.join(sorted(unknown))}")
    options.names = options.names or list(names)
    return options


def carry_out(
    name: str,
    title: str,
    work: Callable[[Console], Found],
    *,
    save_it: bool,
    expected: tuple[type[Exception], ...] = (RuntimeError,),
    advice: str = "",
    show: Callable[[Found, Console], None] = lambda _found, _say: None,
) -> int:
    """Measure, show and keep. 0 when something was measured; 1 with the sentence of an expected error and `advice`; 130 after Ctrl-C."""
    stop_in_order()
    say = screen()
    say.print(title)
    try:
        found = work(say)
    except expected as error:
        say.print(f"{error}{advice}")
        return 1
    except KeyboardInterrupt:
        return 130
    show(found, say)
    if save_it:
        say.print(f"All figures: {save(name, found)}")
    return 0
