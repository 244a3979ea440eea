"""How many error events this month has seen, in one file that all processes of a machine count in.

The file is named after the month and holds one number; a restart goes on counting, and the next month begins
at 0. Where there is no folder to keep it in, each process counts for itself. Never raises: a full disk costs
the count, not the event.
"""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER: Final = ".errors"
"""Beside the segments of the spool, which all processes of a machine share already."""

WARNING_SHARE: Final = 0.8
"""Of the quota: time enough to lower the rate or to raise the plan."""

_DIGITS: Final = 32


class MonthlyQuota:
    """Counts events against SENTRY_MONTHLY_QUOTA. A quota of 0 means none."""

    def __init__(self, quota: int, spool: Path | None, now: Callable[[], float] = time.time) -> None:
        self.quota: Final = quota
        self.used = 0
        """Events of this month, as of the last look."""
        self._folder: Final = spool / FOLDER if spool is not None and quota else None
        self._now: Final = now
        self._month = self._this_month()
        if self._folder is not None:
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
        self.refresh()

    @property
    def share(self) -> float:
        """The part of the quota that is used: 0 for nothing, 1 for all of it."""
        return self.used / self.quota if self.quota else 0.0

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return bool(self.quota) and self.used >= self.quota

    def count(self) -> int:
        """One more event; returns how many this month has now, over all processes."""
        return self._update(1)

    def refresh(self) -> int:
        """See what the others counted, and whether a new month has begun; returns the number."""
        return self._update(0)

    def is_warning(self, used: int) -> bool:
        """Whether the event that made it `used` is the one that reached the warning share: true for one process only."""
        return bool(self.quota) and used == max(1, int(self.quota * WARNING_SHARE))

    def _update(self, more: int) -> int:
        month = self._this_month()
        if month != self._month:
            self._month, self.used = month, 0
        if self._folder is None:
            self.used += more
            return self.used
        try:
            self.used = self._count_in(self._folder / f"sent-{month}", more)
        except (OSError, ValueError):
            self.used += more
        return self.used

    @staticmethod
    def _count_in(path: Path, more: int) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if more else fcntl.LOCK_SH)
            used = int(os.pread(descriptor, _DIGITS, 0) or b"0") + more
            if more:
                os.pwrite(descriptor, f"{used}\n".encode(), 0)
            return used
        finally:
            os.close(descriptor)

    def _this_month(self) -> str:
        return time.strftime("%Y-%m", time.gmtime(self._now()))
