"""The lines that are shipped: finished segments of the spool, records as our logger writes them, about 450 bytes each."""

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

LOGGER: Final = "bench.lines"
"""By this field the lines are counted in Elasticsearch."""

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""As SPOOL_SEGMENT_BYTES has it."""

_ENDPOINTS: Final = ("/feed", "/suggest", "/posts/{post_id}", "/chat/{chat_id}/messages", "/auth/login", "/images/{image_id}")
_TEXTS: Final = ("Feed loaded from the database", "Suggestions came late, the cached ones were sent", "Message stored and handed on")


def write_segments(folder: Path, count: int, *, writer: str = "bench", seed: int = 1) -> list[Path]:
    """Write `count` records into finished segments of one writer; returns the files in order."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    size, file = SEGMENT_BYTES, None
    try:
        for line in _lines(count, seed):
            if size >= SEGMENT_BYTES:
                if file is not None:
                    file.close()
                made.append(folder / f"app.{writer}.{len(made) + 1:08d}.ndjson")
                size, file = 0, made[-1].open("wb")
            if file is not None:
                size += file.write(line)
    finally:
        if file is not None:
            file.close()
    return made


def _lines(count: int, seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)  # noqa: S311 (data, no secret)
    # All of one day, however late it is: one index.
    start = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for number in range(count):
        endpoint = dice.choice(_ENDPOINTS)
        when = start + dt.timedelta(microseconds=number * 500)
        record = {
            "timestamp": f"{when.isoformat(timespec='microseconds')}Z",
            "level": "INFO",
            "log_level": "info",
            "service_name": "app",
            "logger": LOGGER,
            "event": "http.request.completed",
            "message": f"{dice.choice(_TEXTS)} ({dice.randrange(10**6)})",
            "request_id": f"{dice.getrandbits(128):032x}",
            "trace_id": f"{dice.getrandbits(128):032x}",
            "span_id": f"{dice.getrandbits(64):016x}",
            "method": "GET",
            "path": endpoint.replace("{", "").replace("}", ""),
            "endpoint": endpoint,
            "status_code": dice.choice((200, 200, 200, 201, 404)),
            "duration_ms": round(dice.expovariate(0.05), 3),
            "response_bytes": dice.randrange(200, 4000),
            "user_id": f"u-{dice.randrange(10**5)}",
        }
        yield orjson.dumps(record) + b"\n"
