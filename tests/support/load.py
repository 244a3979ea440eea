"""Steady traffic with ids of its own, and what became of each request."""

import itertools
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Final, Self

import httpx

CLIENTS: Final = 8


class Load:
    """Calls `path` from several threads for as long as the block lasts; every request has an id of its own."""

    def __init__(self, base_url: str, prefix: str, path: str = "/feed") -> None:
        self._url: Final = f"{base_url}{path}"
        self._prefix: Final = prefix
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CLIENTS)]
        self.answered: list[str] = []
        """Ids of requests that were answered with 200: each is an obligation."""
        self.statuses: Counter[int] = Counter()
        """How often each status came; 0 stands for a broken connection."""
        self.seconds: list[tuple[float, float]] = []
        """When each answer came, on the monotonic clock, and how long it took."""

    def p99(self, since: float, until: float) -> float:
        """The 99th percentile of the answer times in a span of the monotonic clock, in seconds."""
        times = sorted(took for when, took in self.seconds if since <= when < until)
        return times[int(len(times) * 0.99)] if times else float("nan")

    def _call(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._over.is_set():
                ident = f"{self._prefix}-{next(self._numbers)}"
                started = time.monotonic()
                try:
                    status = client.get(self._url, headers={"X-Event-ID": ident}).status_code
                except httpx.HTTPError:
                    status = 0
                    self._over.wait(0.05)
                self.statuses[status] += 1
                now = time.monotonic()
                self.seconds.append((now, now - started))
                if status == 200:
                    self.answered.append(ident)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=40)
