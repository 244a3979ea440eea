"""Waits for something to become true, with a limit that has a name."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PAUSE_SECONDS = 0.05


def wait_until(what: str, probe: Callable[[], Found], timeout: float = 30.0, pause: float = PAUSE_SECONDS) -> Found:
    """The first truthy answer of `probe`, asked every `pause` seconds.

    Raises AssertionError that says what didn't happen; the last exception is its cause.
    """
    limit = time.monotonic() + timeout
    last: Exception | None = None
    while time.monotonic() < limit:
        try:
            found = probe()
        except Exception as error:
            last, found = error, None
        else:
            last = None
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"{what} did not happen within {timeout:g} s") from last
