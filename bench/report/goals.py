"""The goals, and whether the figures meet them. Ratios are medians over rounds of the ratio within a round."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.load.report import TARGETS

Figures = dict[str, dict[str, Any]]
"""Part of the bench → its file of figures; parts that were not run are left out."""

FLAT: Final = 1.15
"""A cost is flat when it grows by no more than this from the smallest to the largest backlog."""

GROWS: Final = 1.5
"""Two writers on two cores bring at least so many times the lines of one."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal and what was measured. `met` is None where it was not."""

    work: str
    goal: str
    measured: str
    met: bool | None


def goals(figures: Figures) -> list[Goal]:
    """All goals, in the order of the report."""
    return [*_request(figures), *_call(figures), *_shipping(figures), *_scale(figures)]


def _at_most(work: str, limit: float, value: Callable[[], float], unit: str = "x bare", form: str = ".2f") -> Goal:
    try:
        found = value()
    except (KeyError, IndexError, ValueError):
        return Goal(work, f"≤ {limit:.3g} {unit}", "not measured", None)
    return Goal(work, f"≤ {limit:.3g} {unit}", f"{found:{form}}", found <= limit)


def _at_least(work: str, limit: float, value: Callable[[], float], unit: str) -> Goal:
    try:
        found = value()
    except (KeyError, IndexError, ValueError):
        return Goal(work, f"≥ {limit:g} x {unit}", "not measured", None)
    return Goal(work, f"≥ {limit:g} x {unit}", f"{found:.2f}", found >= limit)


def _request(figures: Figures) -> Iterator[Goal]:
    def ratio(variant: str, endpoint: str) -> float:
        return float(figures["request_path"]["summary"][variant][endpoint]["ratio"]["median"])

    def added(variant: str) -> float:
        return float(figures["request_path"]["summary"][variant]["ping"]["added_us"]["median"])

    def memory() -> float:
        found = figures["request_path"]["memory_mib"]
        return float(found["kit_all"] - found["bare"])

    core = "id + context + terminal record + metrics"
    yield _at_most(f"{core}: ping", 1.15, lambda: ratio("kit", "ping"))
    yield _at_most(f"{core}: feed", 1.15, lambda: ratio("kit", "feed"))
    yield _at_most(
        "the same beside uvicorn's own access log: ping", 1, lambda: ratio("kit", "ping") / ratio("access_log", "ping"), "x its cost"
    )
    yield _at_most(f"{core}, multi-worker metrics: ping", 1.25, lambda: ratio("kit_workers", "ping"))
    yield _at_most(f"{core}, multi-worker metrics: feed", 1.25, lambda: ratio("kit_workers", "feed"))
    yield _at_most("everything (10 % tracing, error tracking, masking): ping", 1.40, lambda: ratio("kit_all", "ping"))
    yield _at_least(
        "everything: added CPU saved against the usual equivalent", 4, lambda: added("structlog_all") / added("kit_all"), "cheaper"
    )
    yield _at_most("memory of the app with everything, over bare", 15, memory, "MiB", ".0f")


def _call(figures: Figures) -> Iterator[Goal]:
    def us(name: str) -> float:
        return float(figures["formatter"]["summary"][name]["us"]["median"])

    def times(name: str, ours: str) -> float:
        return float(figures["formatter"]["summary"][name][f"times_{ours}"]["median"])

    def best_json(ours: str) -> float:
        return min(times(name, ours) for name in ("json_default", "json_orjson", "json_msgspec"))

    json = "cheaper than stdlib + python-json-logger's best encoder"
    yield _at_most("log call, `get_logger()`", 6, lambda: us("kit"), "µs")
    yield _at_least("log call, `get_logger()`", 4, lambda: best_json("kit"), json)
    yield _at_least("log call, `get_logger()`", 1.5, lambda: times("structlog_fastest", "kit"), "cheaper than structlog's fastest")
    yield _at_most("log call, plain stdlib logger", 11, lambda: us("kit_stdlib"), "µs")
    yield _at_least(
        "log call, plain stdlib logger", 2.5, lambda: best_json("kit_stdlib"), "cheaper than stdlib + python-json-logger's best"
    )


def _shipping(figures: Figures) -> Iterator[Goal]:
    def speed(name: str) -> float:
        return float(figures["shipping"]["summary"][name]["speed_to_kit"]["median"])

    def cpu(name: str) -> float:
        return float(figures["shipping"]["summary"][name]["cpu_per_100k"]["median"])

    yield _at_least("shipper: documents/s", 0.95, lambda: 1 / speed("ceiling"), "the ceiling with our ids")
    yield _at_least("shipper: documents/s", 1.4, lambda: 1 / speed("rsyslog"), "rsyslog")
    yield _at_least("shipper: documents/s", 2.5, lambda: 1 / speed("parallel_bulk"), "parallel_bulk")
    yield _at_least("shipper: documents/s", 2.5, lambda: 1 / speed("filebeat"), "Filebeat")
    yield _at_most("shipper: CPU", 0.40, lambda: cpu("kit"), "s per 100k documents")
    yield _at_most("shipper: CPU", 0.1, lambda: cpu("kit") / cpu("streaming_bulk"), "x streaming_bulk", ".3f")
    yield _at_most("shipper: CPU", 1 / 3, lambda: cpu("kit") / cpu("rsyslog"), "x rsyslog")
    yield _at_most("shipper: CPU", 1 / 12, lambda: cpu("kit") / cpu("filebeat"), "x Filebeat", ".3f")


def _scale(figures: Figures) -> Iterator[Goal]:
    def largest() -> float:
        rows = figures["scale"]["growth"]
        return max(float(row["peak_mib"]) for row in rows)

    def growth() -> float:
        rows = sorted(figures["scale"]["growth"], key=lambda row: float(row["megabytes"]))
        return float(rows[-1]["cpu_per_100k"]) / float(rows[0]["cpu_per_100k"])

    def writers() -> float:
        rows = figures["scale"]["writers"]
        one, two = ([float(row["lines_per_second"]) for row in rows if row["writers"] == number] for number in (1, 2))
        return max(two) / max(one)

    sizes = [row["megabytes"] for row in figures.get("scale", {}).get("growth", [])]
    yield _at_most(f"memory of the shipper, backlogs up to {max(sizes, default=0) / 1000:g} GB", 100, largest, "MiB", ".0f")
    yield _at_most("shipper: CPU a line at the largest backlog", FLAT, growth, "x at the smallest")
    yield _at_least("lines/s of two writers", GROWS, writers, "one writer's")
    yield _unnoticed(figures)


def _unnoticed(figures: Figures) -> Goal:
    """No request fails, and the slowest hundredth stays inside the latency target that docs/sizing.md holds the app to."""
    goal = f"0 failed, p99 < {TARGETS['p99_ms']} ms"
    rows = {row["span"]: row for row in figures.get("scale", {}).get("serving", [])}
    if "draining" not in rows:
        return Goal("requests while a backlog is drained", goal, "not measured", None)
    idle, busy = rows["idle"], rows["draining"]
    measured = f"{busy['errors']} failed, p99 {busy['p99_ms']:g} ms (idle {idle['p99_ms']:g})"
    met = busy["errors"] == 0 and busy["p99_ms"] < float(TARGETS["p99_ms"])
    return Goal(f"{busy['lines']:,} lines drained while requests are served", goal, measured, met)
