"""A negative control: a service whose spool keeps records in memory for a while. The kill loop must catch it."""

import sys
from typing import Final

from app.core.spool import SpoolWriter
from tests.faults import writer

AT_ONCE: Final = 53
"""No multiple of it is often the end of a writer's burst of 20: whenever it dies, something waits."""


def _buffer_records() -> None:
    append = SpoolWriter.append
    waiting: list[bytes] = []

    def append_later(self: SpoolWriter, line: bytes, records: int = 1) -> bool:
        waiting.append(line)
        assert records == 1
        if len(waiting) < AT_ONCE:
            return True
        lines, count = b"".join(waiting), len(waiting)
        waiting.clear()
        return append(self, lines, count)

    SpoolWriter.append = append_later  # type: ignore[method-assign]


if __name__ == "__main__":
    _buffer_records()
    writer.main(*sys.argv[1:])
