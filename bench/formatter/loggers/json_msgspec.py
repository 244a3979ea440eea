"""The standard library with python-json-logger, encoder: msgspec."""

from pathlib import Path

from pythonjsonlogger.msgspec import MsgspecFormatter

from bench.formatter.call import Calls, standard_call, standard_logger


def make(folder: Path) -> Calls:
    """Time, level, name, message and everything extra."""
    formatter = MsgspecFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    return {"json_msgspec": standard_call(standard_logger(folder / "json_msgspec.log", formatter))}
