"""Metrics of several workers: one sum over the living and the dead, and the exemplars that the library leaves out.

prometheus_client keeps one file per worker and kind. Counters of dead workers
must go on counting, so their files stay; here they are folded into one archive
file, so that a worker that dies every minute doesn't leave ten thousand files.
"""

import fcntl
import json
import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.samples import Exemplar, Sample

from app.core.telemetry.metrics import METRICS

ARCHIVE: Final = "archive"
"""Stands where a process id stands in a file name: values of workers that are gone."""

HEADER_BYTES: Final = 8
"""What the library puts before the first value of a file."""

EXEMPLAR_SECONDS: Final = 1.0
"""Shortest pause between two writes of a worker's exemplars."""

EXEMPLAR_LIFE_SECONDS: Final = 300.0
"""Older exemplars are not shown: their traces leave the interesting range of a dashboard."""


class WorkerFiles:
    """The folder in which workers share their metrics."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> list[Family]:
        """The sums over all workers, with the dead ones folded away first."""
        with self._locked(fcntl.LOCK_EX):
            self._fold_dead()
            files = [str(path) for path in self._folder.glob("*.db") if _has_content(path)]
            return list(MultiProcessCollector.merge(files, accumulate=True))

    def alive(self) -> list[int]:
        """Process ids of the workers that live."""
        return sorted(pid for pid in {_pid(path) for path in self._folder.glob("*.db")} - {None} if pid is not None and is_alive(pid))

    def _fold_dead(self) -> None:
        dead = {pid for path in self._folder.glob("*.db") if (pid := _pid(path)) is not None and not is_alive(pid)}
        for pid in dead:
            mark_process_dead(pid, str(self._folder))
            for path in self._folder.glob(f"gauge_*_{pid}.db"):
                path.unlink(missing_ok=True)
            for path in self._folder.glob(f"exemplars_{pid}.json"):
                path.unlink(missing_ok=True)
        for kind in ("counter", "histogram"):
            files = [self._folder / f"{kind}_{pid}.db" for pid in dead if (self._folder / f"{kind}_{pid}.db").exists()]
            if files:
                self._fold(kind, files)

    def _fold(self, kind: str, dead: list[Path]) -> None:
        archive = self._folder / f"{kind}_{ARCHIVE}.db"
        fresh = archive.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        sources = [str(path) for path in (archive, *dead) if path.exists() and _has_content(path)]
        values = MmapedDict(str(fresh))
        for family in MultiProcessCollector.merge(sources, accumulate=False):
            for sample in family.samples:
                key = mmap_key(family.name, sample.name, list(sample.labels), list(sample.labels.values()), family.documentation)
                values.write_value(key, sample.value, 0.0)
        values.close()
        fresh.replace(archive)
        for path in dead:
            path.unlink()

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def _has_content(path: Path) -> bool:
    """False for a file whose worker has only just made it, or was killed in that moment; the library can't read it."""
    try:
        return path.stat().st_size >= HEADER_BYTES
    except FileNotFoundError:
        return False


def _pid(path: Path) -> int | None:
    last = path.stem.rpartition("_")[2]
    return int(last) if last.isdigit() else None


def is_alive(pid: int) -> bool:
    """Whether a process of this id runs; a zombie doesn't."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return False
    return state not in ("Z", "X")


Place = tuple[str, str, float]
"""Histogram, value of its label (empty without one), upper edge of the bucket."""


class ExemplarStore:
    """The newest trace for each latency bucket of this worker, shown to the other workers through a file."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._found: dict[Place, tuple[str, float, float]] = {}
        self._written = 0.0
        self._dirty = False

    def add(self, name: str, label: str, value: float, trace_id: str, now: float) -> None:
        """Remember a trace; the file follows at most once a second."""
        edges = METRICS[name].buckets
        place = bisect_left(edges, value)
        edge = edges[place] if place < len(edges) else float("inf")
        self._found[name, label, edge] = (trace_id, value, now)
        self._dirty = True
        if now - self._written >= EXEMPLAR_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the file, if there is a folder to share and something new to say."""
        if self._folder is None or not self._dirty:
            return
        self._written, self._dirty = time.time(), False
        path = self._folder / f"exemplars_{os.getpid()}.json"
        rows = [[*place, *rest] for place, rest in list(self._found.items())]
        with suppress(OSError):
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(rows), encoding="utf-8")
            fresh.replace(path)

    def newest(self) -> dict[Place, Exemplar]:
        """The newest exemplar of each bucket over all workers."""
        rows: list[list[Any]] = [[*place, *rest] for place, rest in list(self._found.items())]
        if self._folder is not None:
            for path in self._folder.glob("exemplars_*.json"):
                with suppress(OSError, ValueError):
                    rows += json.loads(path.read_text(encoding="utf-8"))
        limit = time.time() - EXEMPLAR_LIFE_SECONDS
        fresh = sorted((row for row in rows if row[5] >= limit), key=lambda row: float(row[5]))
        return {(row[0], row[1], row[2]): Exemplar({"trace_id": row[3]}, row[4], row[5]) for row in fresh}


def with_exemplars(families: Iterable[Family], exemplars: dict[Place, Exemplar]) -> Iterator[Family]:
    """The families, with exemplars on the buckets of their histograms."""
    names = {name for name, _, _ in exemplars}
    for family in families:
        if family.name in names:
            family.samples = [_attach(family.name, sample, exemplars) for sample in family.samples]
        yield family


def _attach(name: str, sample: Sample, exemplars: dict[Place, Exemplar]) -> Sample:
    edge = sample.labels.get("le")
    label = next((value for key, value in sample.labels.items() if key != "le"), "")
    found = exemplars.get((name, label, float(edge))) if edge else None
    return sample._replace(exemplar=found) if found else sample
