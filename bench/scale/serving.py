"""A backlog of a million lines is drained while requests are served: does a request notice?

The same application, under the same paced load, first with an idle shipper, then
while the backlog is drained, then idle again: what differs between the two idle
spans is the machine, what differs from the middle one is the draining.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench.cpu import resident_mib
from bench.load.client import Load, quantile
from bench.request_path.server import Server
from bench.request_path.variants import VARIANTS
from bench.scale.backlog import STOCK_LINES, fill
from bench.shipping.lines import write_segments
from bench.shipping.shippers import SHIP_SECONDS, Ours, ShipperError
from bench.shipping.store import Store

CONNECTIONS: Final = 50
PER_SECOND: Final = 200.0
"""Offered load: a tenth of what one worker can, so that there is a request to notice something."""

BYTES_A_LINE: Final = 470
_REQUEST: Final = b"GET /feed?limit=20 HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n"


def measure(store: Store, lines: int, idle_seconds: float, say: Console) -> list[dict[str, Any]]:
    """Three rows: idle, draining, idle again. Raises ShipperError, DidNotStartError."""
    return asyncio.run(_measure(store, lines, idle_seconds, say))


async def _measure(store: Store, lines: int, idle_seconds: float, say: Console) -> list[dict[str, Any]]:
    store.clear()
    stock = write_segments(store.folder / "stock", STOCK_LINES)
    variant = next(variant for variant in VARIANTS if variant.name == "kit")
    with tempfile.TemporaryDirectory(dir=store.folder) as folder:
        shipper = Ours(store, Path(folder) / "shipper")
        server = Server(variant, Path(folder) / "app", {})
        try:
            shipper.prepare([])
            waiting = fill(shipper, stock, lines * BYTES_A_LINE, 4)
            load = Load(server.port, CONNECTIONS, [_REQUEST])
            await load.run(2.0, CONNECTIONS / PER_SECOND)
            rows = [await _idle(load, server, "idle", idle_seconds)]
            say.print(f"    {_words(rows[-1])}")
            rows.append(await _draining(load, server, shipper, waiting))
            say.print(f"    {_words(rows[-1])}")
            await asyncio.sleep(3)
            rows.append(await _idle(load, server, "idle again", idle_seconds))
            say.print(f"    {_words(rows[-1])}")
        finally:
            server.stop()
            shipper.stop()
    rows[1]["arrived"] = store.count()
    return rows


async def _idle(load: Load, server: Server, name: str, seconds: float) -> dict[str, Any]:
    before = server.cpu_seconds()
    measured = await load.run(seconds, CONNECTIONS / PER_SECOND)
    return _row(name, measured.totals, measured.errors, server.cpu_seconds() - before)


async def _draining(load: Load, server: Server, shipper: Ours, waiting: int) -> dict[str, Any]:
    """Serve in pieces of two seconds until the backlog is gone."""
    totals: list[float] = []
    errors, before, start = 0, server.cpu_seconds(), time.monotonic()
    shipper.begin()
    drained = asyncio.create_task(_until_drained(shipper))
    while not drained.done():
        measured = await load.run(2.0, CONNECTIONS / PER_SECOND)
        totals += measured.totals
        errors += measured.errors
    seconds = await drained - start
    row = _row("draining", totals, errors, server.cpu_seconds() - before)
    return row | {
        "lines": waiting,
        "docs_per_second": round(waiting / seconds, 1),
        "peak_mib": round(resident_mib(shipper.pid, "VmHWM"), 1),
    }


async def _until_drained(shipper: Ours) -> float:
    deadline = time.monotonic() + SHIP_SECONDS
    while shipper.left():
        if time.monotonic() > deadline:
            raise ShipperError("the backlog was not drained in time")
        await asyncio.sleep(0.2)
    return time.monotonic()


def _row(name: str, totals: list[float], errors: int, cpu: float) -> dict[str, Any]:
    return {
        "span": name,
        "requests": len(totals),
        "errors": errors,
        **{f"p{share}_ms": round(quantile(totals, share / 100) * 1000, 2) for share in (50, 95, 99)},
        "cpu_us": round(cpu / max(1, len(totals)) * 1e6, 1),
    }


def _words(row: dict[str, Any]) -> str:
    drained = f", {row['lines']} lines at {row['docs_per_second']:.0f}/s" if "lines" in row else ""
    return (
        f"{row['span']}: {row['requests']} requests, {row['errors']} errors, p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms, "
        f"{row['cpu_us']:.0f} us of CPU each{drained}"
    )
