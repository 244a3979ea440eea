"""A service that does nothing but write records, as a process that can be killed at any moment.

Every id follows from the service's number and the record's, and every payload from the
id, so that the oracle needs no list of what was sent: the writer keeps one number in a
file, how many records `log.info` has returned for. What it wrote there outlives `kill -9`.

    python -m tests.faults.writer LEDGER NUMBER LIFE PAUSE POISON LONG
"""

import hashlib
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import orjson

from app.core import metrics
from app.core.config import load_settings
from app.core.log_setup import setup_logging, shutdown_logging
from app.core.logger import get_logger
from app.core.records import timestamp
from app.core.spool import SpoolWriter

LOGGER: Final = "tests.faults.writer"
_LETTERS: Final = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")
"""Digits might look like a card number, and be masked."""

PADDING: Final = "." * 1000

_LEDGER: Final = struct.Struct("<QQ")


class Ledger:
    """What a life of a writer owes: how many records and how many poisonous ones it was told are written."""

    def __init__(self, path: Path) -> None:
        self._file: Final = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def note(self, written: int, poison: int) -> None:
        """Two numbers; whoever reads after a death sees the last that were noted.

        Written, not mapped: where the kernel pages out in the background (DAMON, Linux 6.18) a mapped file of a killed process
        was seen to hold what it held before, once in 10,000 deaths; the oracle then takes what was written for invented.
        """
        os.pwrite(self._file, _LEDGER.pack(written, poison), 0)

    def read(self) -> tuple[int, int]:
        """Records, poisonous records; none before the first were noted."""
        written, poison = _LEDGER.unpack(os.pread(self._file, _LEDGER.size, 0) or bytes(_LEDGER.size))
        return written, poison


def ident_of(service: int, life: int, number: int) -> str:
    """The id of a record."""
    return f"w{service}-{life}-{number}"


def poison_ident_of(service: int, life: int, number: int) -> str:
    """The id of a record that Elasticsearch refuses."""
    return f"p{service}-{life}-{number}"


def payload_of(ident: str) -> str:
    """The message of the record of this id; quoted, Turkish and odd on purpose."""
    digest = hashlib.sha256(ident.encode()).hexdigest()
    return f'ışık "{digest.translate(_LETTERS)}" \\ \t{"x" * int(digest[:2], 16)}'


def padding_of(ident: str, long_share: float) -> int:
    """Pieces of its extra padding: most records are short, some have tens of kilobytes."""
    chosen = random.Random(ident)
    return chosen.randrange(8, 60) if chosen.random() < long_share else 0


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a stored record says what its id demands; of the padding only the length, or that there is none."""
    padding = document.get("extra", {}).get("padding", [])
    return document["message"] == payload_of(document["request_id"]) and all(piece == PADDING for piece in padding)


def poison_line(service: str, ident: str) -> bytes:
    """A line that Elasticsearch refuses: an object where the mapping has a keyword."""
    record: dict[str, Any] = {"timestamp": timestamp(), "service_name": service, "logger": LOGGER, "message": payload_of(ident)}
    return orjson.dumps(record | {"request_id": ident, "user_id": {"id": 1}}) + b"\n"


def main(ledger_path: str, service: str, life: str, pause: str, poison: str, long: str) -> None:
    """Write until SIGTERM."""
    settings = load_settings()
    setup_logging(settings)
    metrics.start("app", "test", "test")
    assert settings.spool_dir is not None
    raw = SpoolWriter(settings.spool_dir, settings.service_name, segment_bytes=settings.spool_segment_bytes, max_bytes=1 << 40)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    log = get_logger(LOGGER)
    ledger = Ledger(Path(ledger_path))
    choice = random.Random(f"{service}-{life}")
    written = poisoned = 0
    while not stopped:
        for _ in range(20):
            ident = ident_of(int(service), int(life), written)
            pieces = padding_of(ident, float(long))
            padding: dict[str, Any] = {"padding": [PADDING] * pieces} if pieces else {}
            log.info(payload_of(ident), request_id=ident, **padding)
            written += 1
            ledger.note(written, poisoned)
            if choice.random() < float(poison):
                assert raw.append(poison_line(settings.service_name, poison_ident_of(int(service), int(life), poisoned)))
                poisoned += 1
                ledger.note(written, poisoned)
        time.sleep(float(pause))
    raw.close()
    shutdown_logging()


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # nothing may be written after the ledger is closed
