"""`python -m bench.request_path`: what observability costs a request, ours and the peers', as a ratio to bare FastAPI.

python -m bench.request_path kit structlog --rounds 6    # only these two, and bare FastAPI
"""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.command import carry_out, options_of, parse
from bench.request_path.measure import measure
from bench.request_path.variants import VARIANTS


def main() -> int:
    """0 when something was measured, 1 when not."""
    names = [variant.name for variant in VARIANTS]
    parser = options_of("request_path", "CPU time of a request, beside bare FastAPI.", names, rounds=12)
    parser.add_argument("--requests", type=int, default=2000, help="requests to each endpoint in a turn (default: %(default)s)")
    options = parse(parser, "variant", names)
    return carry_out(
        "request_path",
        f"Request path: {options.rounds} rounds, {options.requests} requests a turn, seed {options.seed}",
        lambda say: measure(options.names, rounds=options.rounds, requests=options.requests, seed=options.seed, say=say),
        save_it=options.save,
        show=show,
    )


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
