"""Which requests are in a sample: decided by their id, so that every process and every client decides alike."""

import zlib
from typing import Final

_MIX: Final = 0x45D9F3B
_WORD: Final = 0xFFFFFFFF


def share_of(ident: str) -> float:
    """A number from 0 up to 1 that belongs to an id. The id is in a sample of share `s` when it is below `s`.

    CRC-32 of the UTF-8 bytes, multiplied twice by an odd number so that ids which differ in a last digit spread
    evenly. A client that wants to agree with the backend does the same (docs/error-tracking.md).
    """
    word = zlib.crc32(ident.encode("utf-8", "replace"))
    word = ((word ^ (word >> 16)) * _MIX) & _WORD
    word = ((word ^ (word >> 16)) * _MIX) & _WORD
    return (word ^ (word >> 16)) / 2**32
