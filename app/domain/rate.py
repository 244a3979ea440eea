"""A bucket of tokens: so many per second on average, twice as many at once."""

from typing import Final

BURST: Final = 2.0
"""Seconds' worth that may be used at once."""


class Allowance:
    """What one sender may still do. Times are seconds of a monotonic clock."""

    def __init__(self, per_second: float) -> None:
        self._rate: Final = per_second
        self._most: Final = max(1.0, per_second * BURST)
        self._left = self._most
        self._since: float | None = None

    def take(self, now: float) -> bool:
        """Use one, if there is one."""
        if self._since is not None:
            self._left = min(self._most, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
