"""`python -m bench.formatter`: CPU time of one log call, ours and the peers', to bytes in a file.

python -m bench.formatter kit kit_stdlib --rounds 6    # only these two
"""

import argparse
import random
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from app.stack.screen import screen
from bench.formatter.measure import TITLES, measure
from bench.results import save
from bench.stopping import stop_in_order


def main() -> int:
    """0 when something was measured, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m bench.formatter", description="CPU time of one log call, to bytes in a file.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TITLES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=20_000, help="calls in a turn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="seed of the order (default: drawn)")  # noqa: S311
    parser.add_argument("--save", action="store_true", help="keep the figures in bench/results/formatter.json")
    options = parser.parse_args()
    if unknown := set(options.names) - TITLES.keys():
        parser.error(f"no such logger: {', '.join(sorted(unknown))}")
    stop_in_order()
    say = screen()
    say.print(f"Log call: {options.rounds} rounds, {options.calls} calls a turn, seed {options.seed}")
    try:
        found = measure(options.names or list(TITLES), rounds=options.rounds, calls=options.calls, seed=options.seed, say=say)
    except RuntimeError as error:
        say.print(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    show(found, say)
    if options.save:
        say.print(f"All figures: {save('formatter', found)}")
    return 0


def show(found: dict[str, Any], say: Console) -> None:
    """The table on the screen."""
    table = Table(title=f"CPU of a log call (load before: {found['machine']['load_before']})", title_justify="left")
    for column in ("logger", "us", "quartiles", "x ours", "bytes a line"):
        table.add_column(column, justify="left" if column == "logger" else "right")
    for name, of in found["summary"].items():
        us, times = of["us"], of.get("times_kit")
        table.add_row(
            name,
            f"{us['median']:.2f}",
            f"{us['low']:.2f}-{us['high']:.2f}",
            f"{times['median']:.2f}" if times else "",
            f"{of['bytes_a_line']:.0f}",
        )
    say.print(table)


if __name__ == "__main__":
    sys.exit(main())
