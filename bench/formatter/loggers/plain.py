"""The standard library as it is: a line of text, without the fields."""

import logging
from pathlib import Path

from bench.formatter.call import Calls, standard_call, standard_logger


def make(folder: Path) -> Calls:
    """Time, level, name, message, request id."""
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s request_id=%(request_id)s")
    return {"stdlib_plain": standard_call(standard_logger(folder / "plain.log", formatter))}
