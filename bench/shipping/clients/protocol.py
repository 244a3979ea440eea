"""What a client is told, and when it may begin."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from app.core.spool import SegmentName
from app.shipper.batch import document_id

BATCH_DOCS: Final = 4000
CONNECTIONS: Final = 2

SEGMENTS: Final = [Path(name) for name in sys.argv[1:]]
URL: Final = os.environ.get("BENCH_URL", "")
AUTH: Final = ("nobet_admin", os.environ.get("BENCH_PASSWORD", ""))
INDEX: Final = os.environ.get("BENCH_INDEX", "")


def wait_for_start() -> None:
    """Return when the measurement begins."""
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()


def done() -> None:
    """Say so, and stay until memory and CPU time were read."""
    print("done", flush=True)  # noqa: T201
    sys.stdin.readline()


def lines(segment: Path) -> Iterator[tuple[str, bytes]]:
    """The id and the bytes of each line, as our shipper has them."""
    name = SegmentName.parse(segment.name)
    assert name is not None  # noqa: S101 (the bench wrote it)
    offset = 0
    with segment.open("rb") as file:
        for line in file:
            yield document_id(name, offset), line
            offset += len(line)


def actions() -> Iterator[dict[str, Any]]:
    """All lines as `elasticsearch.helpers` wants them: parsed, because it encodes them itself."""
    for segment in SEGMENTS:
        for ident, line in lines(segment):
            yield {"_op_type": "create", "_index": INDEX, "_id": ident, "_source": orjson.loads(line)}
