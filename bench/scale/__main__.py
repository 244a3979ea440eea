"""`python -m bench.scale`: writers, growth of the backlog, and draining while requests are served.

python -m bench.scale writers
python -m bench.scale growth --sizes 10,100
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console

from app.core.config import ConfigError
from app.core.terminal import screen
from app.stack.errors import StackError
from bench.machine import facts
from bench.request_path.server import DidNotStartError
from bench.results import load, save
from bench.scale import backlog, serving, writers
from bench.shipping.shippers import ShipperError
from bench.shipping.store import Store
from bench.stopping import stop_in_order

PARTS: Final = ("writers", "writers_shipped", "growth", "serving")


def main() -> int:
    """0 when all parts that were asked for were measured, 1 when not."""
    options = parser().parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser().error(f"no such part: {', '.join(sorted(unknown))}")
    stop_in_order()
    say = screen()
    try:
        found = measure(options, say)
    except (StackError, ConfigError, RuntimeError, ShipperError, DidNotStartError) as error:
        say.print(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    if options.save:
        say.print(f"All figures: {save('scale', {**(load('scale') or {}), **found})}")
    return 1 if found["missing"] else 0


def parser() -> argparse.ArgumentParser:
    """The options, whose defaults are the long form."""
    made = argparse.ArgumentParser(prog="python -m bench.scale", description="Does the cost stay flat?")
    made.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    made.add_argument("--rounds", type=int, default=3, help="rounds of the writers (default: %(default)s)")
    made.add_argument("--lines", type=int, default=200_000, help="lines of each writer (default: %(default)s)")
    made.add_argument("--sizes", default=",".join(map(str, backlog.SIZES_MB)), help="backlogs in MB (default: %(default)s)")
    made.add_argument("--drain-lines", type=int, default=1_000_000, help="backlog drained beside requests (default: %(default)s)")
    made.add_argument("--idle-seconds", type=float, default=20.0, help="length of an idle span (default: %(default)s)")
    made.add_argument("--save", action="store_true", help="keep the figures in bench/results/scale.json")
    return made


def measure(options: argparse.Namespace, say: Console) -> dict[str, Any]:
    """The parts that were asked for; those that fail are named in `missing`. Raises what a store or the writers raise."""
    wanted = options.parts or list(PARTS)
    found: dict[str, Any] = {"machine": facts(), "missing": {}}
    if "writers" in wanted:
        say.print(f"Writers: {options.rounds} rounds of {options.lines} lines each")
        found["writers"] = writers.measure(options.lines, options.rounds, say)
    if {"writers_shipped", "growth", "serving"} & set(wanted):
        sizes = tuple(map(int, options.sizes.split(",")))
        with Store(say) as store:
            shipped: dict[str, tuple[str, Callable[[], Any]]] = {
                "writers_shipped": ("Shipping 100 MB of 1, 2 and 4 writers", lambda: backlog.measure_writers(store, 100, say)),
                "serving": (
                    f"Draining {options.drain_lines} lines while requests are served",
                    lambda: serving.measure(store, options.drain_lines, options.idle_seconds, say),
                ),
                "growth": ("Growth of the backlog", lambda: backlog.measure(store, sizes, say)),
            }
            for part, (title, work) in shipped.items():
                if part in wanted:
                    say.print(title)
                    try:
                        found[part] = work()
                    except (RuntimeError, OSError) as error:  # the others are worth having all the same
                        found["missing"][part] = str(error)
                        say.print(f"  {part} was not measured: {error}")
    return found


if __name__ == "__main__":
    sys.exit(main())
