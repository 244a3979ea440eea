"""Gives each shipper its turn on the same Elasticsearch, checks that every line arrived once, and keeps what it took."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from app.stack.stack import Stack
from bench.cpu import cpu_seconds, resident_mib
from bench.machine import facts, versions
from bench.peers import python
from bench.rounds import turns
from bench.shipping.lines import write_segments
from bench.shipping.rsyslog import Rsyslog
from bench.shipping.shippers import Client, Ours, Shipper, ShipperError
from bench.shipping.store import Store
from bench.stats import ratios, spread

CEILING: Final = "ceiling"

SHIPPERS: Final[dict[str, tuple[str, Callable[[Store, Path], Shipper]]]] = {
    "ceiling_auto": ("ceiling: bodies encoded beforehand, ids made by Elasticsearch", lambda s, f: Client(s, f, "raw", AUTO_IDS="1")),
    CEILING: ("ceiling with our ids", lambda s, f: Client(s, f, "raw")),
    "kit": ("**Nöbet shipper**, complete", Ours),
    "rsyslog": ("rsyslog omelasticsearch, `create` with ids", Rsyslog),
    "parallel_bulk": ("`elasticsearch.helpers.parallel_bulk`", lambda s, f: Client(s, f, "parallel_bulk")),
    "streaming_bulk": ("`elasticsearch.helpers.streaming_bulk`", lambda s, f: Client(s, f, "streaming_bulk")),
}
"""Title and maker of each."""

NOT_TO_BE_HAD: Final = {
    "filebeat": "Filebeat is in no package registry (Debian, PyPI, npm, Maven, Go): download it from its maker to compare"
}


def measure(names: list[str], *, rounds: int, lines: int, seed: int, say: Console, stack: Stack | None = None) -> dict[str, Any]:
    """Measure these shippers; those that fail are named in `missing` with the reason. Without `stack`, on a server of its own."""
    machine = facts()
    rows: list[dict[str, Any]] = []
    missing = dict(NOT_TO_BE_HAD)
    with Store(say, stack) as store:
        say.print(f"Writing {lines} lines …")
        segments = write_segments(store.folder / "stock", lines)
        size = sum(path.stat().st_size for path in segments)
        for number, name in turns([name for name in SHIPPERS if name in names], rounds, seed, say):
            if name in missing:
                continue
            try:
                row = _turn(store, name, segments, lines)
            except ShipperError as error:
                missing[name] = str(error)
                say.print(f"  left out from here on: {name}: {error}")
                continue
            rows.append({"shipper": name, "round": number, **row})
            say.print(
                f"    {name:<15} {row['docs_per_second']:9.0f} documents/s  {row['cpu_per_100k']:6.2f} CPU s per 100k  "
                f"{row['peak_mib']:5.0f} MiB  arrived {row['arrived']}/{lines}"
            )
        version = store.version()
    return {
        "machine": machine,
        "versions": versions("elasticsearch", "elastic-transport", "orjson", python=python()) | {"Elasticsearch server": version},
        "settings": {"rounds": rounds, "lines": lines, "bytes_a_line": round(size / lines, 1), "seed": seed},
        "missing": missing,
        "runs": rows,
        "summary": summarise(rows),
    }


def _turn(store: Store, name: str, segments: list[Path], lines: int) -> dict[str, Any]:
    store.clear()
    with tempfile.TemporaryDirectory(dir=store.folder) as folder:
        shipper = SHIPPERS[name][1](store, Path(folder) / name)
        try:
            shipper.prepare(segments)
            before, start = cpu_seconds(shipper.pid), time.monotonic()
            shipper.ship()
            seconds, cpu = time.monotonic() - start, cpu_seconds(shipper.pid) - before
            peak = resident_mib(shipper.pid, "VmHWM")
        finally:
            shipper.stop()
    return {
        "seconds": round(seconds, 3),
        "docs_per_second": round(lines / seconds, 1),
        "cpu_per_100k": round(cpu / lines * 100_000, 4),
        "peak_mib": round(peak, 1),
        "arrived": store.count(),
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each shipper: documents a second, CPU per 100,000, memory, and the ratio of its speed to the ceiling's, round by round."""
    found: dict[str, dict[str, Any]] = {}
    for name in {row["shipper"]: None for row in rows}:
        own = {row["round"]: row for row in rows if row["shipper"] == name}
        found[name] = {
            figure: spread([row[figure] for row in own.values()]).as_dict() for figure in ("docs_per_second", "cpu_per_100k", "peak_mib")
        }
        for other in (CEILING, "kit"):
            speeds = {row["round"]: row["docs_per_second"] for row in rows if row["shipper"] == other}
            if speeds.keys() & own.keys():
                found[name][f"speed_to_{other}"] = ratios({number: row["docs_per_second"] for number, row in own.items()}, speeds).as_dict()
    return found
