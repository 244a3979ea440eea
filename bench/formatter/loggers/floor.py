"""The floor: a dict, orjson, os.write. No level, no masking, no lock, no metrics."""

import os
import time
from pathlib import Path

import orjson

from bench.formatter.call import MESSAGE, Calls, current


def make(folder: Path) -> Calls:
    """A record of the same fields."""
    descriptor = os.open(folder / "floor.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def call() -> None:
        fields = {"user_id": "u-48213", "count": 9, "duration_ms": 12.5, "source": "database", "cached": False}
        record = {"timestamp": time.time(), "level": "INFO", "logger": "app.feed", "message": MESSAGE, **current.get(), **fields}
        os.write(descriptor, orjson.dumps(record) + b"\n")

    return {"floor": call}
