"""Starts a process for each logger, gives them turns in rounds, and keeps what a call took."""

import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench.machine import facts, versions
from bench.peers import environment, python
from bench.rounds import turns
from bench.stats import ratios, spread

MODULES: Final = {
    "kit": ("kit", "kit_keywords", "kit_stdlib", "kit_structlog"),
    "floor": ("floor",),
    "structlog_fastest": ("structlog_fastest",),
    "structlog_stdlib": ("structlog_stdlib",),
    "json_default": ("json_default",),
    "json_orjson": ("json_orjson",),
    "json_msgspec": ("json_msgspec",),
    "plain": ("stdlib_plain",),
    "loguru_serialize": ("loguru",),
}

TITLES: Final = {
    "kit": "**Nöbet** `get_logger()`, masked, to the spool",
    "kit_keywords": "**Nöbet** `get_logger()`, fields as keywords",
    "kit_stdlib": "**Nöbet** through a plain stdlib logger",
    "kit_structlog": "**Nöbet** through structlog's front",
    "floor": "floor: dict, orjson, `os.write`",
    "structlog_fastest": "structlog, its documentation's fastest set-up with orjson",
    "structlog_stdlib": "structlog through stdlib",
    "json_default": "stdlib + python-json-logger, default encoder",
    "json_orjson": "stdlib + python-json-logger, orjson",
    "json_msgspec": "stdlib + python-json-logger, msgspec",
    "stdlib_plain": "stdlib, plain text without the fields",
    "loguru": "loguru, serialize",
}

QUICK: Final = ("kit", "kit_stdlib", "floor", "structlog_fastest")
WARM_UP: Final = 2000
OURS: Final = "kit"


class _Worker:
    """The process of one module."""

    def __init__(self, module: str, folder: Path) -> None:
        folder.mkdir()
        self._process = subprocess.Popen(
            [python(), "-m", "bench.formatter.worker", module, str(folder)],
            env=environment(),
            cwd=folder.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> str:
        """Why it can't be used; empty when it can."""
        assert self._process.stdout is not None  # noqa: S101 (a pipe was asked for)
        if self._process.stdout.readline().startswith("ready"):
            return ""
        _, errors = self._process.communicate(timeout=30)
        return (errors.strip().splitlines() or ["it said nothing"])[-1]

    def run(self, name: str, calls: int) -> tuple[int, int, int]:
        """Nanoseconds, lines, bytes of so many calls. Raises RuntimeError when it died."""
        assert self._process.stdin is not None  # noqa: S101 (as above)
        assert self._process.stdout is not None  # noqa: S101 (as above)
        self._process.stdin.write(f"{name} {calls}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        if len(answer) != 3:
            raise RuntimeError(
                f"{name} ended while it was measured: {(self._process.stderr.read() if self._process.stderr else '')[-300:]}"
            )
        nanoseconds, lines, size = (int(word) for word in answer)
        return nanoseconds, lines, size

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.communicate(timeout=30)


def measure(names: list[str], *, rounds: int, calls: int, seed: int, say: Console) -> dict[str, Any]:
    """Measure these loggers; those that can't be used are named in `missing` with the reason. Raises RuntimeError when one loses lines."""
    machine = facts()
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nobet-bench-")))
        workers: dict[str, _Worker] = {}
        for module, made in MODULES.items():
            wanted = [name for name in made if name in names]
            if not wanted:
                continue
            worker = _Worker(module, folder / module)
            stack.callback(worker.stop)
            reason = worker.wait_ready()
            for name in wanted:
                if reason:
                    missing[name] = reason
                    say.print(f"  left out: {TITLES[name]}: {reason}")
                else:
                    workers[name] = worker
        for name, worker in workers.items():
            worker.run(name, WARM_UP)
        for number, name in turns(list(workers), rounds, seed, say):
            nanoseconds, lines, size = workers[name].run(name, calls)
            if lines != calls:
                raise RuntimeError(f"{name} wrote {lines} lines for {calls} calls, so its time means nothing.")
            rows.append(
                {"logger": name, "round": number, "us": round(nanoseconds / calls / 1000, 4), "bytes_a_line": round(size / calls, 1)}
            )
    return {
        "machine": machine,
        "versions": versions("orjson", "structlog", "python-json-logger", "msgspec", "loguru", python=python()),
        "settings": {"rounds": rounds, "calls_a_turn": calls, "seed": seed},
        "missing": missing,
        "runs": rows,
        "summary": summarise(rows),
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each logger: microseconds a call, and how many times ours it is, round by round."""
    figures: dict[str, dict[int, float]] = {}
    for row in rows:
        figures.setdefault(row["logger"], {})[row["round"]] = row["us"]
    sizes = {row["logger"]: row["bytes_a_line"] for row in rows}
    found = {}
    for name, by_round in figures.items():
        found[name] = {"us": spread(list(by_round.values())).as_dict(), "bytes_a_line": sizes[name]}
        for front in (OURS, "kit_stdlib"):
            if front in figures:
                found[name][f"times_{front}"] = ratios(by_round, figures[front]).as_dict()
    return found
