"""The standard library with python-json-logger, encoder: default."""

from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from bench.formatter.call import Calls, standard_call, standard_logger


def make(folder: Path) -> Calls:
    """Time, level, name, message and everything extra."""
    formatter = JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    return {"json_default": standard_call(standard_logger(folder / "json_default.log", formatter))}
