"""The standard library's logging with python-json-logger, for the applications that use it."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from bench.request_path.apps.endpoints import LOADED, MISSED, REQUESTED

log = logging.getLogger("app.feed")


def use_json(*loggers: str, filters: tuple[logging.Filter, ...] = ()) -> None:
    """Send the root logger, and those named, to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for filter_ in filters:
        handler.addFilter(filter_)
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.INFO)
    for name in loggers:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def write_lines() -> None:
    """Three records."""
    log.info("Feed requested", extra=REQUESTED)
    log.info("Cache missed", extra=MISSED)
    log.info("Feed loaded", extra=LOADED)
