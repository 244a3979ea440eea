"""`make bench`: all parts one after the other, then the page. A part that fails is named, and the others go on.

python -m bench --only formatter,request_path
python -m bench --report                          # only write bench/RESULTS.md from the figures that are there
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from app.core.config import ConfigError
from app.core.terminal import screen
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from bench.formatter.measure import QUICK, TITLES
from bench.formatter.measure import measure as measure_formatter
from bench.report import page
from bench.request_path.measure import measure as measure_request_path
from bench.request_path.variants import VARIANTS
from bench.results import FOLDER, save
from bench.scale.__main__ import measure as measure_scale
from bench.scale.__main__ import parser as scale_parser
from bench.shipping.measure import SHIPPERS
from bench.shipping.measure import measure as measure_shipping
from bench.stopping import stop_in_order

Measure = Callable[[], dict[str, Any]]

MINUTES: Final = {"request_path": 7, "formatter": 2, "shipping": 8, "scale": 11}
"""What each takes on two quiet cores."""


def main(arguments: list[str] | None = None) -> int:
    """0 when every part was measured, 1 when one was not, 130 when it was stopped."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure us beside others, and write bench/RESULTS.md.")
    parser.add_argument("--only", default=",".join(page.PARTS), help="parts, separated by commas (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a minute that shows that it works; keeps no figures")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="seed of the orders (default: drawn)")  # noqa: S311
    parser.add_argument("--report", action="store_true", help="only write the page from the figures that are there")
    options = parser.parse_args(arguments)
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(page.PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    stop_in_order()
    say = screen()
    if options.report:
        page.write_page()
        say.print(f"Written: {page.PAGE.relative_to(CHECKOUT)}")
        return 0
    try:
        return run_quick(wanted, options.seed, say) if options.quick else run(wanted, options.seed, say)
    except KeyboardInterrupt:
        say.print("Stopped. The parts that were finished are kept: python -m bench --report shows them.")
        return 130


def run(wanted: list[str], seed: int, say: Console) -> int:
    """The long form: figures are kept, the page is written."""
    say.print(f"Seed {seed}. This takes about {sum(MINUTES[part] for part in wanted)} minutes on a quiet machine; its figures need one.")
    failed = measure_parts({part: work for part, work in _long(seed, say).items() if part in wanted}, FOLDER, say)
    page.write_page()
    say.print(f"\nWritten: {page.PAGE.relative_to(CHECKOUT)}; every figure: {FOLDER.relative_to(CHECKOUT)}")
    return 1 if failed else 0


def run_quick(wanted: list[str], seed: int, say: Console) -> int:
    """The short form: few rounds, few peers, a page that nobody keeps."""
    say.print(f"Seed {seed}. The short form shows that the bench works; its figures mean nothing and are not kept.")
    with tempfile.TemporaryDirectory(prefix="nobet-bench-") as name:
        folder = Path(name)
        failed = measure_parts({part: work for part, work in short(seed, say).items() if part in wanted}, folder, say)
        page.write_page(folder / "RESULTS.md", folder)
    say.print("\nIt works. The real thing: make bench" if not failed else "\nIt does not work yet: see above.")
    return 1 if failed else 0


def measure_parts(parts: dict[str, Measure], folder: Path, say: Console) -> list[str]:
    """Run the parts and keep their figures; returns the names of those that failed, having said why."""
    failed = []
    for place, (part, work) in enumerate(parts.items(), 1):
        say.print(f"\n[{place}/{len(parts)}] {part}, about {MINUTES[part]} min in its long form")
        start = time.monotonic()
        try:
            save(part, work(), folder)
        except (StackError, ConfigError, RuntimeError, OSError) as error:
            failed.append(part)
            say.print(f"  {part} was not measured: {error}")
        else:
            say.print(f"  {part} took {(time.monotonic() - start) / 60:.1f} min")
    return failed


def _long(seed: int, say: Console) -> dict[str, Measure]:
    names = [variant.name for variant in VARIANTS]
    return {
        "request_path": partial(measure_request_path, names, rounds=12, requests=2000, seed=seed, say=say),
        "formatter": partial(measure_formatter, list(TITLES), rounds=9, calls=20_000, seed=seed, say=say),
        "shipping": partial(measure_shipping, list(SHIPPERS), rounds=5, lines=150_000, seed=seed, say=say),
        "scale": partial(measure_scale, scale_parser().parse_args([]), say),
    }


def short(seed: int, say: Console) -> dict[str, Measure]:
    """The parts in their short form."""
    names = [variant.name for variant in VARIANTS if variant.quick]
    writers = scale_parser().parse_args(["writers", "--rounds", "1", "--lines", "2000"])
    return {
        "request_path": partial(measure_request_path, names, rounds=2, requests=160, seed=seed, say=say),
        "formatter": partial(measure_formatter, list(QUICK), rounds=2, calls=500, seed=seed, say=say),
        "shipping": partial(measure_shipping, ["kit", "ceiling"], rounds=1, lines=5000, seed=seed, say=say),
        "scale": partial(measure_scale, writers, say),
    }


if __name__ == "__main__":
    sys.exit(main())
