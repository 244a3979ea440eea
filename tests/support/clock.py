"""A clock that stands still until the test moves it."""


class Clock:
    """Stands in for `time.time` or `time.monotonic`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now
