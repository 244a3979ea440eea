"""A producer that remembers what it wrote: what `write` returned for is an obligation."""

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from app.core.records import timestamp
from app.core.spool import SpoolWriter

PRODUCER: Final = "tests.producer"


class Producer:
    """Writes records with unique ids and payloads that follow from the id. What `write` returned is an obligation."""

    def __init__(self, spool: Path, seed: int, *, segment_bytes: int = 20_000) -> None:
        self._writer = SpoolWriter(spool, "app", segment_bytes=segment_bytes, max_bytes=1 << 32)
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.written: list[str] = []

    def write(self, count: int = 1) -> None:
        """Write some records."""
        for _ in range(count):
            ident = f"{self._random.getrandbits(128):032x}"
            line = orjson.dumps(record_of(ident))
            assert self._writer.append(line + b"\n")
            self.written.append(ident)

    @contextmanager
    def writing(self, per_round: int = 20) -> Iterator[None]:
        """As long as the block lasts, write in the background."""
        self._thread = threading.Thread(target=self._run, args=(per_round,), daemon=True)
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(10)
            self._stop.clear()

    def close(self) -> None:
        """Let the segment go."""
        self._writer.close()

    def _run(self, per_round: int) -> None:
        while not self._stop.wait(0.02):
            self.write(per_round)


def payload_of(ident: str) -> str:
    """What the record of this id says; Turkish, quoted and odd on purpose."""
    digest = hashlib.sha256(ident.encode()).hexdigest()
    return f'ışık "{digest}" \\ \t{"x" * (int(digest[:2], 16))}'


def record_of(ident: str) -> dict[str, Any]:
    """A record in the order and form of the logger's."""
    return {
        "timestamp": timestamp(),
        "level": "INFO",
        "log_level": "info",
        "service_name": "app",
        "logger": PRODUCER,
        "message": payload_of(ident),
        "request_id": ident,
    }
