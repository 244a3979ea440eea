"""A negative control: a service whose spool keeps records in memory for a while. The kill loop must catch it."""

import sys
from typing import Final

from app.core.spool import SpoolWriter
from tests.faults import writer

AT_ONCE: Final = 50


def _buffer_records() -> None:
    append = SpoolWriter.append
    waiting: list[bytes] = []

    def append_later(self: SpoolWriter, line: bytes) -> bool:
        waiting.append(line)
        if len(waiting) < AT_ONCE:
            return True
        lines = b"".join(waiting)
        waiting.clear()
        return append(self, lines)

    SpoolWriter.append = append_later  # type: ignore[method-assign]


if __name__ == "__main__":
    _buffer_records()
    writer.main(*sys.argv[1:])
