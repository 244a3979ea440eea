"""`python -m bench.formatter.worker MODULE FOLDER`: sets a logger up, then makes as many calls as each line of its input says.

Input: `name calls`. Output: `ready name …`, then for each turn `nanoseconds lines bytes`.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Serve until the input ends."""
    module, folder = sys.argv[1], Path(sys.argv[2])
    calls = importlib.import_module(f"bench.formatter.loggers.{module}").make(folder)
    _say("ready", *calls)
    for line in sys.stdin:
        name, number = line.split()
        nanoseconds = _time(calls[name], int(number))
        _say(nanoseconds, *_collect(folder))


def _time(call: Callable[[], None], number: int) -> int:
    """CPU time of all threads, user and system."""
    before = time.process_time_ns()
    for _ in range(number):
        call()
    return time.process_time_ns() - before


def _collect(folder: Path) -> tuple[int, int]:
    """Lines and bytes that were written; they are removed, so that no disk fills up."""
    lines = size = 0
    for path in folder.iterdir():
        if path.is_file():
            content = path.read_bytes()
            lines += content.count(b"\n")
            size += len(content)
            os.truncate(path, 0)
    return lines, size


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
