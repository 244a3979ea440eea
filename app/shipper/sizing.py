"""How many documents a bulk request has: more while answers are quick, half as many when the store can't take them.

Only documents are counted, never bytes: the bound in bytes stays what the setting
says, so that no line becomes too large because the store is slow today.
"""

import threading
from typing import Final

from app.core import metrics

QUICK_SECONDS: Final = 1.0
"""An answer within this time lets the next batch grow; Elasticsearch takes 4,000 records of half a kilobyte in about 0.1 s."""

GROWTH: Final = 1.5
FIRST_SHARE: Final = 4
"""The first batch has this part of the most: a store that was just started is slow."""


LEAST_DOCS: Final = 32
"""It shrinks no further on its own; a request that is refused as too large is halved below that, down to single documents."""


class BatchSize:
    """Shared by the reading thread, which asks, and the sending threads, which tell. Thread-safe."""

    def __init__(self, most_docs: int, *, first: int | None = None) -> None:
        """Between LEAST_DOCS and `most_docs` documents; begins with `first`, or a quarter of them."""
        self._most = most_docs
        self._lock = threading.Lock()
        self._gauge = metrics.gauge("shipper_batch_docs")
        self.docs = 0
        self._set(first or most_docs // FIRST_SHARE)

    def taken(self, count: int, seconds: float) -> None:
        """A request with so many documents was answered well. Small ones say nothing about greater ones."""
        with self._lock:
            if seconds <= QUICK_SECONDS and self.docs < self._most and 2 * count >= self.docs:
                self._set(int(self.docs * GROWTH) + 1)

    def too_many(self, count: int) -> None:
        """A request with so many was too large, too much, or not answered in time. Several of the same size halve it once."""
        with self._lock:
            if count // 2 < self.docs:
                self._set(count // 2)

    def _set(self, docs: int) -> None:
        self.docs = min(max(docs, LEAST_DOCS), self._most)
        self._gauge.set(self.docs)
