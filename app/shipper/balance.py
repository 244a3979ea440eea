"""The residual: written - indexed - dead - dropped - backlog. Anything but 0 is a record that was lost or counted twice.

`written` and `dropped` come from the writers (`app.core.spool_tally`), `indexed` and
`dead` from the ledger, the backlog from the files; none of them falls when a process
dies. All are taken from one look at the spool, so that records that are written
meanwhile are in all of them or in none. It is not known while the backlog is too large
to be counted.

Accepted difference: a spool that was in use before its writers counted, or whose
positions were lost, begins with one. It is noted in `<spool>/.shipper/balance` when
the shipper first knows the residual. Removing that file accepts the present one.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from app.core import metrics
from app.core.spool import SegmentName
from app.core.spool_positions import STATE_FOLDER
from app.core.spool_tally import Tally, Totals, count_lines, read_totals
from app.shipper.backlog import COUNT_BYTES, Backlog

FILE_NAME: Final = "balance"
FOLD_SECONDS: Final = 300.0
"""Pause between two looks for the files of writers that are gone."""


class Balance:
    """Computes the residual, once for each look at the spool."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._path: Final = folder / STATE_FOLDER / FILE_NAME
        self._tally: Final = Tally(folder, f"shipper-settled.{time.time_ns():x}-{os.getpid():x}")
        self._totals = Totals()
        self._lines: dict[SegmentName, tuple[int, int]] = {}
        self._next_fold = 0.0

    def settle(self, name: SegmentName) -> None:
        """A delivered segment is about to be removed: see that its records are in the total."""
        self._tally.settle(name)

    def begin(self) -> None:
        """Before the folder is looked at: what its writers say. Later totals would hold records that the look has not."""
        if time.monotonic() >= self._next_fold:
            self._next_fold = time.monotonic() + FOLD_SECONDS
            self._tally.fold()
        self._totals = read_totals(self._folder)

    def show(self, backlog: Backlog, accounted: int) -> None:
        """Bring the metrics up to this look; `accounted` are the records that are indexed or dead letters."""
        open_lines = self._count(backlog)
        metrics.gauge("shipper_spool_dropped_records").set(self._totals.dropped)
        if open_lines is None or not backlog.exact:
            metrics.gauge("shipper_residual_records").set(float("nan"))
            return
        written = self._totals.records + open_lines
        residual = written - self._totals.dropped - accounted - backlog.records
        metrics.gauge("shipper_spool_written_records").set(written)
        metrics.gauge("shipper_residual_records").set(residual - self._accepted(residual, accounted))

    def close(self) -> None:
        """Let the file go."""
        self._tally.close()

    def _count(self, backlog: Backlog) -> int | None:
        """Records in segments that are not in the total; None while there is more to count than one look may take."""
        budget = COUNT_BYTES
        lines: dict[SegmentName, tuple[int, int]] = {}
        known = True
        for name, end in backlog.ends.items():
            if not self._totals.lacks(name):
                continue
            start, count = self._lines.get(name, (0, 0))
            if start > end:  # cut off behind our back
                start, count = 0, 0
            stop = min(end, start + budget)
            lines[name] = (stop, count + count_lines(self._folder / str(name), start, stop))
            budget -= stop - start
            known = known and stop == end
        self._lines = lines
        return sum(count for _, count in lines.values()) if known else None

    def _accepted(self, residual: int, accounted: int) -> int:
        """The difference to begin with; noted now when there is none, or when the counts of the ledger were lost since."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            noted = orjson.loads(self._path.read_bytes())
            if noted["accounted"] <= accounted:
                return int(noted["accepted"])
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(orjson.dumps({"accepted": residual, "accounted": accounted}))
            fresh.replace(self._path)
        return residual
