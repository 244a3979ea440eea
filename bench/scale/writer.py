"""`python -m bench.scale.writer FOLDER LINES`: one process that logs into the spool as quickly as it can, when told to."""

import sys
import time
from pathlib import Path

from bench.formatter.loggers import kit


def main() -> None:
    """Say `ready`, wait for a line of input, write, say seconds of wall clock and of CPU."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    call = kit.make(folder)["kit"]
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    wall, cpu = time.monotonic(), time.process_time()
    for _ in range(number):
        call()
    print(time.monotonic() - wall, time.process_time() - cpu, flush=True)  # noqa: T201
    sys.stdin.readline()


if __name__ == "__main__":
    main()
