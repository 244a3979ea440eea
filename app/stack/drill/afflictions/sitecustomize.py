"""Python imports a module of this name at every start; a drill puts this folder in front of the path of one process.

`NOBET_DRILL_MEMORY` is a number of bytes to take, `NOBET_DRILL_SPIN` makes a thread compute all the time.
"""

import os
import threading
from contextlib import suppress


def _spin() -> None:
    with suppress(OSError):
        os.nice(-10)  # only root may; on a busy machine it is what gets the thread its core
    while True:
        sum(range(10_000))


_taken = b"\1" * int(os.environ.get("NOBET_DRILL_MEMORY", "0"))
if os.environ.get("NOBET_DRILL_SPIN"):
    threading.Thread(target=_spin, daemon=True).start()
