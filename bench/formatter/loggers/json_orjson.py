"""The standard library with python-json-logger, encoder: orjson."""

from pathlib import Path

from pythonjsonlogger.orjson import OrjsonFormatter

from bench.formatter.call import Calls, standard_call, standard_logger


def make(folder: Path) -> Calls:
    """Time, level, name, message and everything extra."""
    formatter = OrjsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    return {"json_orjson": standard_call(standard_logger(folder / "json_orjson.log", formatter))}
