"""Lines a second against the number of writers: processes that log into one spool at once."""

import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench.peers import environment, python

WRITERS: Final = (1, 2, 4)


def measure(lines: int, rounds: int, say: Console) -> list[dict[str, Any]]:
    """`lines` of each writer, for each number of writers. Raises RuntimeError when lines are missing."""
    rows = []
    for number in range(rounds):
        for writers in WRITERS:
            with tempfile.TemporaryDirectory(prefix="nobet-bench-") as folder:
                row = _turn(Path(folder), writers, lines) | {"round": number}
            say.print(f"    {writers} writers: {row['lines_per_second']:9.0f} lines/s, {row['cpu_us_a_line']:.2f} us of CPU a line")
            rows.append(row)
    return rows


def _turn(folder: Path, writers: int, lines: int) -> dict[str, Any]:
    spool = folder / "spool"
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [python(), "-m", "bench.scale.writer", str(spool), str(lines)],
                    env=environment(SPOOL_MAX_BYTES=str(1 << 40)),
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(writers)
        ]
        for process in processes:
            _read(process)
        start = time.monotonic()
        for process in processes:
            _tell(process)
        cpu = sum(float(_read(process).split()[1]) for process in processes)
        seconds = time.monotonic() - start
        for process in processes:
            _tell(process)
    written = sum(path.read_bytes().count(b"\n") for path in spool.glob("*.ndjson"))
    if written != writers * lines:
        raise RuntimeError(f"{writers} writers wrote {written} lines instead of {writers * lines}.")
    return {
        "writers": writers,
        "lines_per_second": round(writers * lines / seconds, 1),
        "cpu_us_a_line": round(cpu / (writers * lines) * 1e6, 3),
    }


def _read(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("A writer ended before its time; its reason is above.")
    return line


def _tell(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        process.stdin.write("go\n")
        process.stdin.flush()
