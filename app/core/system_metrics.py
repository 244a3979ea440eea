"""Values of the host and of our worker processes, read when Prometheus asks."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from app.core import metrics
from app.core.config import Settings
from app.core.telemetry.metrics import METRICS
from app.core.worker_metrics import WorkerFiles

LAG_SECONDS: Final = 1.0
"""Interval in which the event loop's delay is measured."""

PARENT_VARIABLE: Final = "NOBET_PARENT_PID"
"""Names the process that only watches over the workers; it shares their metrics and is none of them."""

_Readings = dict[str, list[tuple[list[str], float]]]


class SystemCollector(Collector):
    """The families `system_*` and `process_*` of the contract. Reading takes well under a millisecond per worker."""

    def __init__(self, settings: Settings, *, with_host: bool) -> None:
        self._folder = settings.prometheus_multiproc_dir
        self._disk = str(_existing(settings.spool_dir or Path.cwd()))
        self._with_host = with_host
        psutil.cpu_percent(interval=None)

    def collect(self) -> Iterator[Any]:
        """One family per declared metric."""
        readings = self._workers() | (self._host() if self._with_host else {})
        for name, rows in readings.items():
            metric = METRICS[name]
            if not metrics.is_enabled(metric):
                continue
            factory = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = factory(name, metric.meaning, labels=metric.labels)
            for labels, value in rows:
                family.add_metric(labels, value)
            yield family

    def _host(self) -> _Readings:
        return {
            "system_cpu_usage_percent": [([], psutil.cpu_percent(interval=None))],
            "system_memory_usage_percent": [([], psutil.virtual_memory().percent)],
            "system_disk_usage_percent": [([], psutil.disk_usage(self._disk).percent)],
        }

    def _workers(self) -> _Readings:
        readings: _Readings = {name: [] for name in METRICS if name.startswith("process_") and name != "process_workers"}
        processes = self._processes()
        for place, process in enumerate(processes):
            try:
                with process.oneshot():
                    memory, times = process.memory_info(), process.cpu_times()
                    values = {
                        "process_resident_memory_bytes": float(memory.rss),
                        "process_heap_bytes": float(memory.data),
                        "process_cpu_seconds_total": times.user + times.system,
                        "process_open_fds": float(process.num_fds()),
                        "process_start_time_seconds": process.create_time(),
                    }
            except psutil.Error:
                continue
            for name, value in values.items():
                readings[name].append(([str(place)], value))
        readings["process_workers"] = [([], float(len(readings["process_start_time_seconds"])))]
        return readings

    def _processes(self) -> list[psutil.Process]:
        """The workers, oldest first: the label is a place in this order, so that a restart makes no new series."""
        parent = os.environ.get(PARENT_VARIABLE)
        pids = [pid for pid in WorkerFiles(self._folder).alive() if str(pid) != parent] if self._folder is not None else []
        found = []
        for pid in pids or [os.getpid()]:
            try:
                found.append(psutil.Process(pid))
            except psutil.NoSuchProcess:
                continue
        return sorted(found, key=lambda process: process.create_time())


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


async def watch_event_loop() -> None:
    """Measure how late the event loop is, for ever."""
    lag = metrics.gauge("event_loop_lag_seconds")
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LAG_SECONDS)
        lag.set(max(0.0, time.perf_counter() - before - LAG_SECONDS))
