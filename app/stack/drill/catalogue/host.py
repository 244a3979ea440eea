"""The machine: its disk, memory and processors, and processes that take too much of them. Limits are moved so that it survives."""

import shutil
import sys
from collections.abc import Mapping
from typing import Final

import psutil

from app.stack.drill.arena import Arena
from app.stack.drill.model import Drill, Expected
from app.stack.errors import StackError

_DISK_SHARE: Final = 0.01
_MEMORY_SHARE: Final = 0.06
_RSS: Final = 'max(process_resident_memory_bytes{job=~"app|voice|shipper|cleanup"})'
_MEGABYTE: Final = 1024 * 1024
_CLEANUP: Final = {"service": "cleanup"}


def _disk_limits(arena: Arena) -> Mapping[str, float]:
    disk = shutil.disk_usage(arena.stack.paths.data)
    used = psutil.disk_usage(str(arena.stack.paths.data)).percent
    return {
        "ALERT_DISK_PERCENT": used + 100 * _DISK_SHARE / 2,
        "ALERT_FILESYSTEM_FREE_RATIO": disk.free / disk.total - _DISK_SHARE / 2,
        "ALERT_ES_DISK_WARNING_RATIO": 1 - disk.free / disk.total + _DISK_SHARE / 2,
        "ALERT_ES_DISK_CRITICAL_RATIO": 1.0,
    }


def _critical_disk_limits(arena: Arena) -> Mapping[str, float]:
    disk = shutil.disk_usage(arena.stack.paths.data)
    limit = 1 - disk.free / disk.total + _DISK_SHARE / 2
    return {
        "ALERT_ES_DISK_CRITICAL_RATIO": limit,
        "ALERT_ES_DISK_WARNING_RATIO": limit,
        "ALERT_FILESYSTEM_CRITICAL_FREE_RATIO": disk.free / disk.total - _DISK_SHARE / 2,
    }


def _fill(arena: Arena) -> None:
    disk = shutil.disk_usage(arena.stack.paths.data)
    size = int(disk.total * _DISK_SHARE)
    if disk.free < 3 * size:
        raise StackError("The disk is too full to be filled further. Free some of it.")
    arena.hands.fill(arena.stack.paths.data / "drill.fill", size)


def _memory_limit(_arena: Arena) -> Mapping[str, float]:
    return {"ALERT_MEMORY_PERCENT": psutil.virtual_memory().percent + 100 * _MEMORY_SHARE / 2}


def _take_memory(arena: Arena) -> None:
    memory = psutil.virtual_memory()
    size = int(memory.total * _MEMORY_SHARE)
    if memory.available < 3 * size:
        raise StackError("Too little memory is free to take any of it.")
    arena.hands.spawn([sys.executable, "-c", f"import time; taken = b'x' * {size}; time.sleep(3600)"])


def _largest(arena: Arena) -> float:
    return arena.chain.value(_RSS) or 300 * _MEGABYTE


def _rss_limit(arena: Arena) -> Mapping[str, float]:
    return {"ALERT_RSS_BYTES": _largest(arena) + 100 * _MEGABYTE}


def _leak(arena: Arena) -> None:
    arena.hands.afflict("cleanup", NOBET_DRILL_MEMORY=str(int(_largest(arena)) + 200 * _MEGABYTE))


def _burn(arena: Arena) -> None:
    for _ in range(psutil.cpu_count() or 1):
        arena.hands.spawn(["nice", "-n", "19", sys.executable, "-c", "while True: sum(range(10000))"])


HOST: Final = (
    Drill(
        "disk",
        "a file takes one percent of the disk",
        _fill,
        (
            Expected("HighDiskUsage", "warning"),
            Expected("FilesystemFillingUp", "warning"),
            Expected("ElasticsearchDiskHigh", "warning"),
        ),
        limits=_disk_limits,
        together="calm",
    ),
    Drill(
        "disk-critical",
        "a file takes one percent of the disk",
        _fill,
        (
            Expected("ElasticsearchDiskHigh", "critical"),
            Expected("ElasticsearchDiskHigh", "warning", "held"),
            Expected("FilesystemFillingUp", "critical"),
        ),
        limits=_critical_disk_limits,
    ),
    Drill(
        "memory",
        "a process takes 6 % of the memory",
        _take_memory,
        (Expected("HighSystemMemory", "warning"),),
        limits=_memory_limit,
        together="calm",
    ),
    Drill(
        "leak",
        "a process holds 200 MB and more than it should",
        _leak,
        (Expected("HighMemoryUsage", "warning", labels=_CLEANUP),),
        limits=_rss_limit,
        together="restarts",
    ),
    Drill(
        "spin",
        "a thread of a process computes all the time",
        lambda arena: arena.hands.afflict("cleanup", NOBET_DRILL_SPIN="1"),
        (Expected("HighCpuUsage", "warning", labels=_CLEANUP),),
        limits=lambda _arena: {"ALERT_CPU_PERCENT": 60},
        together="more restarts",
    ),
    Drill("cpu", "every processor computes all the time", _burn, (Expected("HostCpuHigh", "warning"),)),
)
