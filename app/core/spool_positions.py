"""How far each segment of a spool is delivered: the shipper's note, and everybody's way to read it.

`<spool>/.shipper/positions` holds a checksum and, in JSON, positions by segment
file name and counts of records by metric and label. The shipper replaces it as a
whole (`app.shipper.positions`); a writer that drops a segment looks up how much of
it was delivered before.
"""

import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

STATE_FOLDER: Final = ".shipper"
"""Inside the spool: positions and lock."""

FILE_NAME: Final = "positions"
FORMAT: Final = 1


class UnusablePositionsError(Exception):
    """There is a position file, and it can't be trusted."""


@dataclass(slots=True)
class Progress:
    """Positions by segment file name, and counts of records by metric and label value."""

    positions: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def read_progress(path: Path) -> Progress:
    """What was saved last; empty when there is no file. Raises UnusablePositionsError when it is no such thing."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise UnusablePositionsError(f"{path}: {error.strerror}") from None
    checksum, _, body = content.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % binascii.crc32(body):
        raise UnusablePositionsError("its checksum is wrong")
    data: Any = orjson.loads(body)
    if data["format"] != FORMAT:
        raise UnusablePositionsError(f"its format is {data['format']}, this version reads {FORMAT}")
    return Progress(data["positions"], data["counts"])


def encode_progress(progress: Progress) -> bytes:
    """The content of the file."""
    body = orjson.dumps({"format": FORMAT, "positions": progress.positions, "counts": progress.counts})
    return b"%08x %b\n" % (binascii.crc32(body), body)


def delivered_positions(folder: Path) -> dict[str, int]:
    """The positions that the shipper of this spool saved last; none when they can't be read."""
    try:
        return read_progress(folder / STATE_FOLDER / FILE_NAME).positions
    except UnusablePositionsError:
        return {}
