"""Where log lines go: the spool, standard output, and standard error when the spool fails.

One sink per process. Writing never raises and never waits for the network; a
standard output that nobody reads is skipped rather than waited for, as long
as the spool has the record.
"""

import os
import select
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from app.core import metrics
from app.core.quick_metrics import adder
from app.core.records import LEVEL_NAMES
from app.core.spool import SpoolWriter

Observer = Callable[[int, dict[str, Any], BaseException | None], None]
"""Is told of each record: level, record, exception."""

_STDOUT: Final = 1
_STDERR: Final = 2


class Sink:
    """Takes encoded records and puts them where they belong."""

    def __init__(self, spool: SpoolWriter | None, *, stdout: Callable[[bytes], bytes] | None) -> None:
        self._spool = spool
        self._stdout = stdout
        self._may_block = _is_pipe(_STDOUT)
        self._poll = select.poll()
        if self._may_block:
            self._poll.register(_STDOUT, select.POLLOUT)
        self._missed = 0
        self.on_spool_failed: Callable[[], None] = lambda: None
        self.on_spool_recovered: Callable[[int], None] = lambda _missed: None
        emitted = metrics.counter("log_records_emitted_total")
        self._emitted = {number: adder(emitted.labels(log_level=lower)) for number, (_, lower) in LEVEL_NAMES.items()}
        self._write_failed = metrics.counter("log_records_dropped_total").labels(reason="write_failed")
        self._add_bytes = adder(metrics.counter("log_spool_bytes_written_total"))

    def write(self, level: int, line: bytes) -> None:
        """Write one record everywhere it goes."""
        count = self._emitted.get(level)
        if count is not None:
            count(1)
        if self._spool is not None:
            if self._spool.append(line):
                self._add_bytes(len(line))
                if self._missed:
                    self._recovered()
            else:
                self._fall_back(line)
        if self._stdout is not None and (self._spool is None or not self._may_block or self._poll.poll(0)):
            _write_all(_STDOUT, self._stdout(line))

    def close(self) -> None:
        """Let go of the spool."""
        if self._spool is not None:
            self._spool.close()

    def _fall_back(self, line: bytes) -> None:
        self._write_failed.inc()
        _write_all(_STDERR, line)
        self._missed += 1
        if self._missed == 1:
            self.on_spool_failed()

    def _recovered(self) -> None:
        missed, self._missed = self._missed, 0
        self.on_spool_recovered(missed)


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _write_all(descriptor: int, data: bytes) -> None:
    with suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]
