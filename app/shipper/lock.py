"""One shipper per spool: two would send everything twice and fight over the positions."""

import fcntl
import os
from pathlib import Path


class AlreadyRunningError(Exception):
    """Another shipper works on this spool."""


class SpoolLock:
    """Held for the life of the process; the kernel lets it go however that ends."""

    def __init__(self, folder: Path) -> None:
        """Takes the lock. Raises AlreadyRunningError, or OSError when the folder can't be written."""
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"Another shipper (process {holder or 'unknown'}) works on {folder.parent}; one spool has one shipper. "
                "Stop that one or set another SPOOL_DIR."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let another shipper in."""
        os.close(self._descriptor)
