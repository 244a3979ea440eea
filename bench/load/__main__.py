"""`python -m bench.load`: measures the app with and without observability, side by side, against a running stack.

Prints what it found, keeps every figure in bench/results/load.json and writes
the table of docs/sizing.md from there. `--report` only writes the table.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import platform
import sys
from typing import Any, Final

import uvloop
from rich.console import Console

from app.core.config import ConfigError, load_settings
from app.core.log_setup import setup_logging
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack, open_stack
from bench.load.client import Load, Measured, quantile
from bench.load.data import Index, posts, written
from bench.load.report import write_page
from bench.load.servers import TRACED, Servers

RESULTS: Final = CHECKOUT / "bench" / "results" / "load.json"
WARM_SECONDS: Final = 3.0

say = Console(highlight=False).print


def main() -> int:
    """Exit code 0 when everything was measured."""
    options = _options()
    if not options.report:
        try:
            stack = open_stack()
            setup_logging(load_settings(_env_file=None, log_level="CRITICAL", log_stdout=False), "bench")
            say(f"{options.connections} connections, {options.workers} workers, {options.rounds} rounds of {options.seconds:g} s each way")
            found = uvloop.run(_measure(stack, options))
        except (StackError, ConfigError, RuntimeError, OSError) as error:
            say(f"{error}\nThe bench needs the running stack: make up")
            return 1
        except KeyboardInterrupt:
            say("Stopped; nothing was written.")
            return 130
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        say(f"All figures: {RESULTS.relative_to(CHECKOUT)}")
    write_page(json.loads(RESULTS.read_text(encoding="utf-8")))
    say("Written: docs/sizing.md")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Measure the app with and without observability.")
    parser.add_argument("--connections", type=int, default=1000, help="keep-alive connections at once (default: %(default)s)")
    parser.add_argument("--think", type=float, default=5.0, help="mean seconds between two requests of a connection (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; in each both variants have their turn (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of the app (default: %(default)s)")
    parser.add_argument("--report", action="store_true", help="write docs/sizing.md from the figures that are there")
    return parser.parse_args()


async def _measure(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    url = stack.expand("postgresql+asyncpg://nobet:{quoted[POSTGRES_PASSWORD]}@{host}:{port[postgres]}/nobet")
    runs: list[dict[str, Any]] = []
    async with posts(url) as ids:
        say("Starting both variants and a shipper …")
        with Servers(stack, options.workers) as servers:
            for number in range(options.rounds):
                # Each is first in turn, so that neither always finds the warmer machine.
                for variant in ("on", "off") if number % 2 == 0 else ("off", "on"):
                    runs += await _turn(servers, variant, _requests(ids), options)
            say("Waiting until every record is in Elasticsearch …")
            logging = await asyncio.to_thread(_logging, stack, servers)
    return {
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "python": platform.python_version(),
            "load_before": os.getloadavg()[0],
        },
        "settings": {name: value for name, value in vars(options).items() if name != "report"} | {"trace_sample_rate": float(TRACED)},
        "runs": runs,
        "logging": logging,
    }


async def _turn(servers: Servers, variant: str, requests: list[bytes], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Warm up, then both ways of loading one variant."""
    await Load(servers.ports[variant], 50, requests).run(WARM_SECONDS, None)
    found = []
    for mode, think in (("paced", options.think), ("saturated", None)):
        before, shipped = servers.cpu_seconds(variant), servers.cpu_seconds("shipper")
        measured = await Load(servers.ports[variant], options.connections, requests).run(options.seconds, think)
        figures = _figures(measured) | {
            "variant": variant,
            "mode": mode,
            "server_cpu_seconds": round(servers.cpu_seconds(variant) - before, 3),
            "shipper_cpu_seconds": round(servers.cpu_seconds("shipper") - shipped, 3) if variant == "on" else 0.0,
        }
        if think:
            figures["offered_per_second"] = options.connections / think
        say(
            f"  {variant:>3} {mode:<9} {figures['per_second']:7.1f}/s  p50 {figures['p50_ms']:7.1f}  p95 {figures['p95_ms']:7.1f}  "
            f"p99 {figures['p99_ms']:7.1f} ms  errors {figures['error_share']:.4%}  CPU {figures['server_cpu_seconds']:.1f} s"
        )
        found.append(figures)
    return found


def _figures(measured: Measured) -> dict[str, Any]:
    totals, first = measured.totals, measured.first_bytes
    return {
        "seconds": round(measured.seconds, 3),
        "requests": len(totals),
        "errors": measured.errors,
        "error_share": measured.share_of_errors,
        "most_open": measured.most_open,
        "per_second": len(totals) / measured.seconds,
        **{f"p{share:g}_ms": round(quantile(totals, share / 100) * 1000, 3) for share in (50, 95, 99)},
        **{f"ttfb_p{share:g}_ms": round(quantile(first, share / 100) * 1000, 3) for share in (50, 95, 99)},
    }


def _requests(ids: list[int]) -> list[bytes]:
    """Seven reads of the feed to three of a post, which is what people do."""
    paths = [f"/posts/{ids[place % len(ids)]}" if place % 10 in (3, 6, 9) else "/feed?limit=20" for place in range(len(ids) * 10)]
    return [f"GET {path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench-load\r\n\r\n".encode() for path in paths]


def _logging(stack: Stack, servers: Servers) -> dict[str, Any]:
    """What the measured app wrote, and what became of it."""
    amounts = written(servers.exposition())
    index = Index(stack)
    try:
        indexed = index.wait_for(int(amounts["records"]))
        return {
            "requests": amounts["requests"],
            "records": amounts["records"],
            "indexed": indexed,
            "bytes_per_record": amounts["bytes"] / amounts["records"],
            "records_per_request": amounts["records"] / amounts["requests"],
            "index_bytes_per_record": index.bytes_per_record(),
            "index_bytes_per_event": index.bytes_per_record("events-*"),
        }
    finally:
        index.remove()


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
