"""Cost of a line and memory of the shipper as the backlog grows: it finds so much when it begins, and ships all of it."""

import shutil
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench.cpu import cpu_seconds, resident_mib
from bench.shipping.lines import write_segments
from bench.shipping.shippers import SHIP_SECONDS, Ours, ShipperError
from bench.shipping.store import Store

SIZES_MB: Final = (10, 100, 1000, 5000)
STOCK_LINES: Final = 150_000
"""About 70 MB of different lines; larger backlogs repeat them as further segments, so as different documents."""

SAMPLE_SECONDS: Final = 0.5
WRITERS: Final = (1, 2, 4)


def measure(store: Store, sizes: tuple[int, ...], say: Console) -> list[dict[str, Any]]:
    """One row for each size, with memory over time. Raises ShipperError."""
    stock = write_segments(store.folder / "stock", STOCK_LINES)
    rows = []
    for size in sizes:
        row = _drain(store, stock, size * 1_000_000, 1, say)
        say.print(f"    {size} MB: {_words(row)}")
        rows.append({"megabytes": size, **row})
    return rows


def measure_writers(store: Store, size_mb: int, say: Console) -> list[dict[str, Any]]:
    """The same backlog left by 1, 2 and 4 writers. Raises ShipperError."""
    stock = write_segments(store.folder / "stock", STOCK_LINES)
    rows = []
    for writers in WRITERS:
        row = _drain(store, stock, size_mb * 1_000_000, writers, say)
        say.print(f"    {writers} writers: {_words(row)}")
        rows.append({"writers": writers, **row})
    return rows


def fill(shipper: Ours, stock: list[Path], size: int, writers: int) -> int:
    """Lay copies of the stock beside the spool until there are `size` bytes, in turn for each writer; returns the lines."""
    counted = [(path, path.stat().st_size, path.read_bytes().count(b"\n")) for path in stock]
    lines = taken = number = 0
    while taken < size:
        path, length, content = counted[number % len(stock)]
        shipper.add(path, f"app.bench{number % writers}.{number // writers + 1:08d}.ndjson")
        taken, lines, number = taken + length, lines + content, number + 1
    return lines


def _drain(store: Store, stock: list[Path], size: int, writers: int, say: Console) -> dict[str, Any]:
    store.clear()
    shipper = Ours(store, store.folder / "drain")
    try:
        shipper.prepare([])
        lines = fill(shipper, stock, size, writers)
        before, start = cpu_seconds(shipper.pid), time.monotonic()
        shipper.begin()
        memory = _watch(shipper, start, say)
        seconds, cpu = time.monotonic() - start, cpu_seconds(shipper.pid) - before
        peak = resident_mib(shipper.pid, "VmHWM")
    finally:
        shipper.stop()
        shutil.rmtree(store.folder / "drain", ignore_errors=True)
    return {
        "lines": lines,
        "arrived": store.count(),
        "seconds": round(seconds, 2),
        "docs_per_second": round(lines / seconds, 1),
        "cpu_per_100k": round(cpu / lines * 100_000, 4),
        "peak_mib": round(peak, 1),
        "memory": memory,
    }


def _watch(shipper: Ours, start: float, say: Console) -> list[tuple[float, float]]:
    """Seconds and MiB until everything is delivered."""
    memory: list[tuple[float, float]] = []
    total, told = shipper.left(), time.monotonic()
    while left := shipper.left():
        now = time.monotonic()
        memory.append((round(now - start, 1), round(resident_mib(shipper.pid), 1)))
        if now - told >= 15:
            told = now
            minutes = (now - start) / max(1, total - left) * left / 60
            say.print(f"      {total - left}/{total} segments, {memory[-1][1]:.0f} MiB, {minutes:.1f} min left")
        if now - start > SHIP_SECONDS:
            raise ShipperError(f"{left} of {total} segments are left after {SHIP_SECONDS:.0f} s")
        time.sleep(SAMPLE_SECONDS if total > 20 else 0.02)
    return memory


def _words(row: dict[str, Any]) -> str:
    arrived = "all arrived once" if row["arrived"] == row["lines"] else f"{row['arrived']} of {row['lines']} ARRIVED"
    return f"{row['docs_per_second']:.0f} documents/s, {row['cpu_per_100k']:.2f} CPU s per 100k, {row['peak_mib']:.0f} MiB, {arrived}"
