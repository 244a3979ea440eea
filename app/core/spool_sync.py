"""Makes the spool durable in an interval, from a thread of its own."""

import threading
from collections.abc import Callable


class Interval:
    """Calls a function every so many seconds until stopped."""

    def __init__(self, work: Callable[[], None], seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._stop: threading.Event | None = None

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._stop is None:
            self._stop = threading.Event()
            start_thread("spool-sync", self._run, self._stop)

    def stop(self) -> None:
        """End."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    def forget(self) -> None:
        """In a forked child: there is no such thread."""
        self._stop = None

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._seconds):
            self._work()


def start_thread(name: str, work: Callable[..., None], *arguments: object) -> threading.Thread | None:
    """Run something beside. None when no thread can be had, as at the end of the process."""
    thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
