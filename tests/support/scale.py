"""How long the cases of the fault catalogue run: short in `make test`, as they are written in `make fault-cases`."""

import os
from typing import Final, TypeVar

FULL: Final = os.environ.get("NOBET_TEST_FAULTS") == "full"

Size = TypeVar("Size", int, float)


def sized(short: Size, full: Size) -> Size:
    """A number of records, kills or seconds: the first in `make test`, the second where time doesn't matter."""
    return full if FULL else short
