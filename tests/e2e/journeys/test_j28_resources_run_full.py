"""J-28: disk, memory or CPU runs full; the alert says which, agrees with the panel, and ends after the remedy.

What is a real fault here, and what is not:

- Disk, host memory and a service's CPU are really used up: a file is written, memory is taken by a child process,
  and the voice service is given more speech than a core can make. Nobody fills 80 % of a developer's disk for a test,
  so Prometheus is given a copy of the same rules whose limits lie a little above what is in use at the moment.
  Expression, window, holding time and alert are the product's.
- The memory of a worker (HighMemoryUsage, 1e9 bytes) can't be used up from outside. Here only the limit moves below
  what a worker has, which proves the way from the metric to the alert, and no fault.
- The limits themselves (80 %, 90 %, 1e9, 90 %) are proven by the rule cases in prometheus/tests/host.yml.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest
import yaml

from prometheus.generator.model import THRESHOLDS_FILE, Context
from prometheus.generator.render import write
from tests.support.processes import CHECKOUT
from tests.support.stack import QUICK, RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ALERT_SECONDS = 180
"""The rules hold half a minute here; the window of the CPU is half a minute too."""

MARGINS: Final = {"HighDiskUsage": 1.0, "HighSystemMemory": 8.0}
"""Limits lie so many percent above what is in use. Memory comes and goes with whatever else runs on the machine."""

FAULTS: Final = {"HighDiskUsage": 2.0, "HighSystemMemory": 16.0}
"""Percent that are really taken: four gigabytes of memory where there are 24, and never more than half of what is free."""

CPU_MARGIN_PERCENT = 5.0
"""On a machine that is busy with other things, a busy service gets far less than a core."""

CALLERS: Final = 3
LONG_SPEECH: Final = {"text": " ".join(["word"] * 60)}
"""Hundredths of a second of one core's work for the voice service, so that it still answers probes and scrapes in between."""

HOG = """
import sys
held = bytearray(int(sys.argv[1]))
held[::4096] = b"x" * len(held[::4096])
print("held", flush=True)
sys.stdin.read()
"""

GAUGES: Final = {
    "HighDiskUsage": "max(system_disk_usage_percent)",
    "HighSystemMemory": "max(system_memory_usage_percent)",
}
"""Alert → what the panel of System Metrics asks."""


@contextmanager
def limits(world: RunningStack, **values: float) -> Iterator[None]:
    """Give Prometheus the same rules with other limits; at the end those of the stack are back."""
    folder = world.declared.paths.etc / "prometheus" / "rules"
    _reload_with(world, folder, values)
    try:
        yield
    finally:
        _reload_with(world, folder, {})


def _reload_with(world: RunningStack, folder: Path, values: dict[str, float]) -> None:
    document = yaml.safe_load(THRESHOLDS_FILE.read_text(encoding="utf-8"))
    for name, value in values.items():
        document["limits"][name]["value"] = value
    changed = world.folder / "thresholds.yml"
    changed.write_text(yaml.safe_dump(document), encoding="utf-8")
    interval = float(QUICK["PROMETHEUS_SCRAPE_INTERVAL"].removesuffix("s"))
    scale = float(QUICK["PROMETHEUS_RULE_SCALE"])
    write(folder, Context(changed, scale=scale, scrape_interval=interval, grafana_url=world.url("grafana")))
    changed.unlink()
    httpx.post(f"{world.url('prometheus')}/-/reload", timeout=60).raise_for_status()


@contextmanager
def full_disk(world: RunningStack) -> Iterator[None]:
    """A part of the disk, taken by a file beside the spool."""
    size = int(psutil.disk_usage(str(world.declared.paths.spool)).total * FAULTS["HighDiskUsage"] / 100)
    path = world.folder / "j28-fills-the-disk"
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        yield
    finally:
        path.unlink()


@contextmanager
def full_memory() -> Iterator[None]:
    """A part of the host's memory, held by a child process."""
    memory = psutil.virtual_memory()
    size = min(int(memory.total * FAULTS["HighSystemMemory"] / 100), memory.available // 2)
    with subprocess.Popen([sys.executable, "-c", HOG, str(size)], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hog:
        assert hog.stdout is not None
        assert hog.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            hog.kill()


@contextmanager
def busy_voice(world: RunningStack) -> Iterator[None]:
    """More speech to make than the voice service can."""
    over = threading.Event()

    def speak() -> None:
        with httpx.Client(base_url=world.url("voice"), timeout=60, trust_env=False) as client:
            while not over.is_set():
                with suppress(httpx.HTTPError):
                    client.post("/tts", json=LONG_SPEECH)

    with ThreadPoolExecutor(CALLERS) as pool:
        for _ in range(CALLERS):
            pool.submit(speak)
        try:
            yield
        finally:
            over.set()


def _firing(stores: Stores, alert: str) -> list[dict[str, Any]]:
    return stores.query(f'ALERTS{{alertname="{alert}",alertstate="firing"}}')


def _in_alertmanager(world: RunningStack, alert: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{world.url('alertmanager')}/api/v2/alerts", params={"filter": f'alertname="{alert}"'}, timeout=30)
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


def _services(stores: Stores, alert: str) -> set[str]:
    return {found["metric"]["service"] for found in _firing(stores, alert)}


def _quiet(stores: Stores, *alerts: str) -> bool:
    return not stores.query(f'ALERTS{{alertname=~"{"|".join(alerts)}"}}')


@pytest.mark.req("J-28", "ALR-05", "ALR-06", "ALR-15", "SYS-01")
def test_a_disk_and_a_memory_that_fill_up_are_told_until_the_remedy(world: RunningStack, stores: Stores) -> None:
    """Really filled above limits that lie close by; the panel's value is above the limit too; both alerts end with the cause."""
    free = {name: wait_until(f"{name}'s gauge", lambda expr=expr: stores.value(expr), 30) for name, expr in GAUGES.items()}  # type: ignore[misc]
    limit = {name: value + MARGINS[name] for name, value in free.items()}
    with limits(world, ALERT_DISK_PERCENT=limit["HighDiskUsage"], ALERT_MEMORY_PERCENT=limit["HighSystemMemory"]):
        with full_disk(world), full_memory():
            for name, expr in GAUGES.items():
                (alert,) = wait_until(f"{name} firing", lambda name=name: _firing(stores, name), ALERT_SECONDS)  # type: ignore[misc]
                assert alert["metric"]["severity"] == "warning"
                above: Callable[[], bool] = lambda name=name, expr=expr: stores.value(expr) > limit[name]  # type: ignore[misc]  # noqa: E731
                wait_until(f"{name}'s gauge above the limit", above, 30)
            active = wait_until("the alert in Alertmanager", lambda: _in_alertmanager(world, "HighDiskUsage"), ALERT_SECONDS)
            assert "% of the disk" in active[0]["annotations"]["description"]
        wait_until("both alerts ending after the remedy", lambda: _quiet(stores, *GAUGES), ALERT_SECONDS)
        wait_until("both gauges below", lambda: all(stores.value(expr) <= limit[name] for name, expr in GAUGES.items()), 30)


@pytest.mark.req("J-28", "ALR-11", "SYS-04")
def test_a_service_that_is_busy_is_named_until_it_rests(world: RunningStack, stores: Stores) -> None:
    """Its CPU is really used; the alert names it and no other service; it ends when the work does."""
    share = '100 * sum by (service) (rate(process_cpu_seconds_total{service="voice"}[30s]))'
    at_rest = wait_until("its share at rest", lambda: stores.query(f"min_over_time(({share})[2m:5s])"), 60)
    limit = float(at_rest[0]["value"][1]) + CPU_MARGIN_PERCENT
    with limits(world, ALERT_CPU_PERCENT=limit):
        with busy_voice(world):
            wait_until("the alert about voice", lambda: "voice" in _services(stores, "HighCpuUsage"), ALERT_SECONDS)
            wait_until("its share above the limit", lambda: stores.value(share) > limit, ALERT_SECONDS)
        named = 'ALERTS{alertname="HighCpuUsage",service="voice"}'
        wait_until("the alert ending with the work", lambda: not stores.query(named), ALERT_SECONDS)


@pytest.mark.req("J-28", "ALR-07", "SYS-03")
def test_the_memory_of_a_worker_leads_to_its_alert(world: RunningStack, stores: Stores) -> None:
    """No fault, only a limit below what workers have: the alert names each service, and ends when the limit is back."""
    held = stores.value('max(process_resident_memory_bytes{job="app"})')
    with limits(world, ALERT_RSS_BYTES=held / 2):
        wait_until("the alert about the app", lambda: "app" in _services(stores, "HighMemoryUsage"), 120)
    wait_until("the alert ending", lambda: _quiet(stores, "HighMemoryUsage"), ALERT_SECONDS)
