"""`python -m bench.shipping`: documents a second into one real Elasticsearch, ours beside the ceiling and other shippers.

python -m bench.shipping kit ceiling --rounds 3    # only these two
"""

import argparse
import random
import sys

from app.core.config import ConfigError
from app.stack.errors import StackError
from app.stack.screen import screen
from bench.results import save
from bench.shipping.measure import SHIPPERS, measure
from bench.stopping import stop_in_order


def main() -> int:
    """0 when something was measured, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m bench.shipping", description="Documents a second into one real Elasticsearch.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SHIPPERS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--lines", type=int, default=150_000, help="lines that each ships in a turn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="seed of the order (default: drawn)")  # noqa: S311
    parser.add_argument("--save", action="store_true", help="keep the figures in bench/results/shipping.json")
    options = parser.parse_args()
    if unknown := set(options.names) - SHIPPERS.keys():
        parser.error(f"no such shipper: {', '.join(sorted(unknown))}")
    stop_in_order()
    say = screen()
    say.print(f"Shipping: {options.rounds} rounds of {options.lines} lines, seed {options.seed}")
    try:
        found = measure(options.names or list(SHIPPERS), rounds=options.rounds, lines=options.lines, seed=options.seed, say=say)
    except (StackError, ConfigError, RuntimeError) as error:
        say.print(f"{error}\nThe bench needs Elasticsearch: python -m app.stack.install gets it.")
        return 1
    except KeyboardInterrupt:
        return 130
    if options.save:
        say.print(f"All figures: {save('shipping', found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
