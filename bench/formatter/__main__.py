"""`python -m bench.formatter`: CPU time of one log call, ours and the peers', to bytes in a file.

python -m bench.formatter kit kit_stdlib --rounds 6    # only these two
"""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.command import carry_out, options_of, parse
from bench.formatter.measure import TITLES, measure


def main() -> int:
    """0 when something was measured, 1 when not."""
    parser = options_of("formatter", "CPU time of one log call, to bytes in a file.", TITLES, rounds=9)
    parser.add_argument("--calls", type=int, default=20_000, help="calls in a turn (default: %(default)s)")
    options = parse(parser, "logger", TITLES)
    return carry_out(
        "formatter",
        f"Log call: {options.rounds} rounds, {options.calls} calls a turn, seed {options.seed}",
        lambda say: measure(options.names, rounds=options.rounds, calls=options.calls, seed=options.seed, say=say),
        save_it=options.save,
        show=show,
    )


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
