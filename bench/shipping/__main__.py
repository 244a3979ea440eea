"""`python -m bench.shipping`: documents a second into one real Elasticsearch, ours beside the ceiling and other shippers.

python -m bench.shipping kit ceiling --rounds 3    # only these two
"""

import sys

from app.core.config import ConfigError
from app.stack.errors import StackError
from bench.command import carry_out, options_of, parse
from bench.shipping.measure import SHIPPERS, measure


def main() -> int:
    """0 when something was measured, 1 when not."""
    parser = options_of("shipping", "Documents a second into one real Elasticsearch.", SHIPPERS, rounds=5)
    parser.add_argument("--lines", type=int, default=150_000, help="lines that each ships in a turn (default: %(default)s)")
    options = parse(parser, "shipper", SHIPPERS)
    return carry_out(
        "shipping",
        f"Shipping: {options.rounds} rounds of {options.lines} lines, seed {options.seed}",
        lambda say: measure(options.names, rounds=options.rounds, lines=options.lines, seed=options.seed, say=say),
        save_it=options.save,
        expected=(StackError, ConfigError, RuntimeError),
        advice="\nThe bench needs Elasticsearch: python -m app.stack.install gets it.",
    )


if __name__ == "__main__":
    sys.exit(main())
