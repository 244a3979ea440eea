"""`python -m bench.request_path`: what observability costs a request, ours and the peers', as a ratio to bare FastAPI.

python -m bench.request_path kit structlog --rounds 6    # only these two, and bare FastAPI
"""

import argparse
import random
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from app.stack.screen import screen
from bench.request_path.measure import measure
from bench.request_path.variants import VARIANTS
from bench.results import save
from bench.stopping import stop_in_order


def main() -> int:
    """0 when something was measured, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m bench.request_path", description="CPU time of a request, beside bare FastAPI.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(variant.name for variant in VARIANTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=12, help="rounds (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="requests to each endpoint in a turn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="seed of the order (default: drawn)")  # noqa: S311
    parser.add_argument("--save", action="store_true", help="keep the figures in bench/results/request_path.json")
    options = parser.parse_args()
    stop_in_order()
    say = screen()
    names = options.names or [variant.name for variant in VARIANTS]
    if unknown := set(names) - {variant.name for variant in VARIANTS}:
        parser.error(f"no such variant: {', '.join(sorted(unknown))}")
    say.print(f"Request path: {options.rounds} rounds, {options.requests} requests a turn, seed {options.seed}")
    try:
        found = measure(names, rounds=options.rounds, requests=options.requests, seed=options.seed, say=say)
    except RuntimeError as error:
        say.print(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    show(found, say)
    if options.save:
        say.print(f"All figures: {save('request_path', found)}")
    return 0


def show(found: dict[str, Any], say: Console) -> None:
    """The table on the screen."""
    table = Table(title=f"CPU of the server for each request (load before: {found['machine']['load_before']})", title_justify="left")
    for column in ("variant", "ping x bare", "quartiles", "ping us", "feed x bare", "quartiles", "feed us", "records", "MiB"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for name, of in found["summary"].items():
        cells = []
        for endpoint in ("ping", "feed"):
            ratio, cpu = of[endpoint]["ratio"], of[endpoint]["cpu_us"]["median"]
            cells += [f"{ratio['median']:.3f}", f"{ratio['low']:.2f}-{ratio['high']:.2f}", f"{cpu:.0f}"]
        records = f"{of['ping']['records_a_request']:g}/{of['feed']['records_a_request']:g}"
        table.add_row(name, *cells, records, f"{found['memory_mib'][name]:.0f}")
    say.print(table)


if __name__ == "__main__":
    sys.exit(main())
