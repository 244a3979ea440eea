"""What the figures were measured on."""

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from app.stack.paths import CHECKOUT


def facts() -> dict[str, Any]:
    """Processor, memory, kernel, Python, load, commit and date, for the head of a report."""
    return {
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "commit": _commit(),
    }


def processor() -> str:
    """The processor's name for people."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions(*packages: str, python: str = sys.executable) -> dict[str, str]:
    """Installed versions of packages in an environment; those that are not there are left out."""
    if python == sys.executable:
        return {name: found for name in packages if (found := _version(name))}
    code = (
        "import sys, json, importlib.metadata as m\n"
        "have = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}\n"
        "print(json.dumps({n: have[n] for n in sys.argv[1:] if n in have}))"
    )
    done = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=False, timeout=60)
    import json

    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
