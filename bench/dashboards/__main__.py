"""`python -m bench.dashboards`: how long each dashboard's queries take over a day, and the rules of one evaluation, on the running stack.

A dashboard is asked as a browser does: all of its queries, six at once, with variables as when it is opened; three times, of which the
median counts and the first is shown, too. Of the rules the median of the last minutes counts, before anybody asked for dashboards.
Goals: each dashboard within 3 s over 24 h, all rules within 200 ms.
"""

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import httpx
from rich.console import Console

from app.core.config import ConfigError
from app.stack.components.metrics import PROMETHEUS
from app.stack.errors import StackError
from app.stack.install import install, unusable
from app.stack.stack import Stack, open_stack
from bench.dashboards.day import fill_logs, fill_metrics
from tests.support.grafana import boards
from tests.support.grafana.choices import choices
from tests.support.grafana.sources import Sources, last

AT_ONCE: Final = 6
BOARD_SECONDS: Final = 3.0
RULES_SECONDS: Final = 0.2
TRIES: Final = 3
RULES_QUERY: Final = "sum(quantile_over_time(0.5, prometheus_rule_group_last_duration_seconds[5m]))"

say = Console(highlight=False).print


def main() -> int:
    """0 when all goals are met, 1 when one is not or the stack does not answer."""
    parser = argparse.ArgumentParser(prog="python -m bench.dashboards", description="Time the queries of dashboards and rules.")
    parser.add_argument("--hours", type=float, default=24.0, help="time range (default: %(default)s)")
    parser.add_argument(
        "--fill",
        type=int,
        default=0,
        metavar="MINUTES",
        help="first repeat what the last MINUTES brought over the whole range before (trial stacks only)",
    )
    options = parser.parse_args()
    try:
        stack = open_stack()
        if options.fill:
            _fill(stack, options.hours, options.fill * 60)
        sources = Sources(stack)
        say(f"{_held(sources):.1f} h of data are there; asked are {options.hours:g} h.\n")
        rules = _rules(sources)
        slowest = max(_board(sources, name, options.hours * 3600) for name in boards.names())
    except (StackError, ConfigError, httpx.HTTPError, AssertionError) as error:
        say(f"{error}\nThis needs the running stack with some traffic: make up, make demo")
        return 1
    say(f"\nSlowest dashboard {slowest:.2f} s (goal {BOARD_SECONDS:g} s), rules {rules * 1000:.0f} ms (goal {RULES_SECONDS * 1000:.0f} ms)")
    return 0 if slowest <= BOARD_SECONDS and rules <= RULES_SECONDS else 1


def _fill(stack: Stack, hours: float, pattern_seconds: int) -> None:
    if not stack.settings.is_trial:
        raise StackError(f"Data are made up for a trial stack only, and this is {stack.settings.environment}.")
    source = next(source for source in PROMETHEUS.sources if not unusable(source))
    promtool = install(source, PROMETHEUS, stack.paths.cache, say) / "usr" / "bin" / "promtool"
    say(f"Repeating the last {pattern_seconds // 60} minutes over {hours:g} h …")
    say(f"  {fill_metrics(stack, promtool, hours, pattern_seconds):,} samples")
    say(f"  {fill_logs(stack, hours, pattern_seconds):,} records\n")


def _held(sources: Sources) -> float:
    """Hours since the first sample."""
    oldest = sources.prometheus("query", query="prometheus_tsdb_lowest_timestamp_seconds")["result"]
    return (time.time() - float(oldest[0]["value"][1])) / 3600 if oldest else 0.0


def _board(sources: Sources, name: str, seconds: float) -> float:
    """Seconds until all queries of a dashboard were answered, the median of some tries."""
    took = [_opened(sources, name, seconds) for _ in range(TRIES)]
    middle = statistics.median(took)
    say(f"{name:28} {len(list(boards.queries(name))):3} queries  {middle:6.2f} s   first {took[0]:6.2f} s")
    return middle


def _opened(sources: Sources, name: str, seconds: float) -> float:
    window = last(seconds)
    began = time.perf_counter()
    values = choices(sources, name, window, {})
    with ThreadPoolExecutor(AT_ONCE) as askers:
        asked = [askers.submit(partial(sources.ask, query, values, window)) for query in boards.queries(name)]
        for one in asked:
            one.result()
    return time.perf_counter() - began


def _rules(sources: Sources) -> float:
    """Seconds that an evaluation of all groups usually took in the last minutes. Raises StackError when Prometheus can't say."""
    found = sources.prometheus("query", query=RULES_QUERY)["result"]
    if not found:
        raise StackError("Prometheus has not measured its rules yet.")
    return float(found[0]["value"][1])


if __name__ == "__main__":
    sys.exit(main())
