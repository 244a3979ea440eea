"""Makes a day of data out of the last minutes of a trial stack: what was measured and logged is repeated backwards in time.

Counters go on counting through the copies and start anew where the live data begin, as after a restart. Traces are left out: Jaeger's
store is memory, and a search there is bounded by its number of traces.
"""

import copy
import datetime as dt
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk, scan

from app.stack.errors import StackError
from app.stack.stack import Stack

BLOCK_SECONDS: Final = 7200
"""Prometheus keeps its data in blocks of this length; a file for promtool should be no longer."""

COUNTED: Final = ("_total", "_bucket", "_sum", "_count")
"""Names of counters end so."""

TIMES: Final = ("timestamp", "dead_at")
"""The times of a document by which dashboards ask."""

_PROMTOOL_SECONDS: Final = 600
_SEEN_SECONDS: Final = 300


def fill_metrics(stack: Stack, promtool: Path, hours: float, pattern_seconds: int) -> int:
    """Give Prometheus `hours` before its first sample; returns the number of samples. Raises StackError when promtool refuses."""
    series = _series(stack, pattern_seconds)
    first = min(float(points["values"][0][0]) for points in series)
    begin, written = first - hours * 3600, 0
    scratch = stack.paths.root / "bench-day"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        for number in range(int(hours * 3600 // BLOCK_SECONDS)):
            written += _block(
                series, scratch, promtool, begin + number * BLOCK_SECONDS, min(first, begin + (number + 1) * BLOCK_SECONDS), pattern_seconds
            )
        for block in (scratch / "blocks").iterdir():
            shutil.move(str(block), stack.paths.data / "prometheus" / block.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _wait_for(stack, begin)
    return written


def _series(stack: Stack, seconds: int) -> list[dict[str, Any]]:
    """The raw samples of every series in the last `seconds`."""
    answer = httpx.post(
        f"{stack.url('prometheus')}/api/v1/query", data={"query": f'{{__name__=~".+", __name__!~"ALERTS.*"}}[{seconds}s]'}, timeout=120
    )
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
    if not found:
        raise StackError("Prometheus has no samples to repeat. Give the stack some minutes of `make demo`.")
    return found


def _block(series: list[dict[str, Any]], scratch: Path, promtool: Path, start: float, end: float, pattern: int) -> int:
    """One file in the OpenMetrics format and the blocks that promtool makes of it."""
    text, written = scratch / "samples.om", 0
    with text.open("w", encoding="utf-8") as file:
        for one in series:
            lines = list(_repeated(one, start, end, pattern))
            file.writelines(lines)
            written += len(lines)
        file.write("# EOF\n")
    command = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(scratch / "blocks")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PROMTOOL_SECONDS, check=False)
    if done.returncode:
        raise StackError(f"promtool refuses the samples: {' '.join(done.stderr.split())[-300:]}")
    return written


def _repeated(one: dict[str, Any], start: float, end: float, pattern: int) -> Iterator[str]:
    """The samples of one series again and again between two moments."""
    labels = dict(one["metric"])
    name = labels.pop("__name__")
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    head = f"{name}{{{inner}}} "
    points = [(float(at), float(value)) for at, value in one["values"] if value not in {"NaN", "+Inf", "-Inf"}]
    if not points:
        return
    first = points[0][0]
    gain = max(points[-1][1] - points[0][1], 0.0) if name.endswith(COUNTED) else 0.0
    lap = int((start - first) // pattern) - 1
    while first + lap * pattern < end:
        for at, value in points:
            moment = at + lap * pattern
            if start <= moment < end and moment < first + (lap + 1) * pattern:
                yield f"{head}{value + gain * (lap + 10_000):.12g} {moment:.3f}\n"
        lap += 1


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _wait_for(stack: Stack, begin: float) -> None:
    """Wait until Prometheus has taken the blocks in, which it looks for every minute."""
    limit = time.monotonic() + _SEEN_SECONDS
    while time.monotonic() < limit:
        answer = httpx.get(f"{stack.url('prometheus')}/api/v1/query", params={"query": "up", "time": str(begin + 600)}, timeout=30)
        if answer.raise_for_status().json()["data"]["result"]:
            return
        time.sleep(2)
    raise StackError(f"Prometheus did not take the blocks in within {_SEEN_SECONDS} s.")


def fill_logs(stack: Stack, hours: float, pattern_seconds: int) -> int:
    """Give Elasticsearch the records and events of the last minutes again, `hours` back; returns their number."""
    with Elasticsearch(
        stack.url("elasticsearch"), basic_auth=("nobet_admin", stack.secret("ELASTICSEARCH_ADMIN_PASSWORD")), request_timeout=120
    ) as client:
        recent = {"query": {"range": {"timestamp": {"gte": f"now-{pattern_seconds}s"}}}}
        pattern = list(scan(client, query=recent, index="logs-*,events-*,dead-*", size=2000))
        laps = int(hours * 3600 // pattern_seconds)
        done = 0
        for _ in parallel_bulk(client, _copies(pattern, laps, pattern_seconds), thread_count=2, chunk_size=2000):
            done += 1
        client.indices.refresh(index="logs-*,events-*,dead-*")
    return done


def _copies(pattern: list[dict[str, Any]], laps: int, seconds: int) -> Iterator[dict[str, Any]]:
    for lap in range(1, laps + 1):
        for hit in pattern:
            source, back = copy.copy(hit["_source"]), dt.timedelta(seconds=lap * seconds)
            moments = {name: dt.datetime.fromisoformat(source[name]) - back for name in TIMES if name in source}
            source |= {name: moment.isoformat(timespec="microseconds").replace("+00:00", "Z") for name, moment in moments.items()}
            prefix, day = str(hit["_index"]).rpartition("-")[0], moments["timestamp"]
            yield {"_op_type": "create", "_index": f"{prefix}-{day:%Y.%m.%d}", "_id": f"{hit['_id']}-{lap}", "_source": source}
