"""How much memory a component takes, its children included."""

from pathlib import Path
from typing import Final

import psutil

PROMISED_BYTES: Final = 3 * 1024**3
"""What the idle core stack may take (docs/sizing.md)."""


def tree_bytes(pid: int) -> int:
    """Memory of a process and all its descendants; pages that they share are counted once (PSS) where that is readable."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_bytes(member) for member in family)


def _bytes(process: psutil.Process) -> int:
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
