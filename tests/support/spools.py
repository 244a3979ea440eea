"""Makes spools for tests: segments as a writer would have left them."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.core.spool import SegmentName

STAMP = "2026-11-22T02:15:04.123456Z"


def record(number: int, *, stamp: str = STAMP, padding: int = 0) -> bytes:
    """A line as the logger writes it, without its newline."""
    return b'{"timestamp":"%b","level":"INFO","message":"record %d","extra":{"pad":"%b"}}' % (stamp.encode(), number, b"x" * padding)


def write_segment(folder: Path, writer: str, sequence: int, lines: Sequence[bytes], tail: bytes = b"", stream: str = "") -> SegmentName:
    """A finished segment of an hour ago; `tail` is a last piece without a newline."""
    folder.mkdir(parents=True, exist_ok=True)
    name = SegmentName(writer, sequence, "app", stream)
    path = folder / str(name)
    path.write_bytes(b"".join(line + b"\n" for line in lines) + tail)
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    return name


@contextmanager
def held(path: Path) -> Iterator[None]:
    """As long as the block lasts, a writer is still appending to the segment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)
