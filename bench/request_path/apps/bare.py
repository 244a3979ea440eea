"""Nothing around the endpoints. Logging is as Python leaves it: the calls are there and write nothing."""

import logging

from fastapi import FastAPI

from bench.request_path.apps.endpoints import LOADED, MISSED, REQUESTED, add_endpoints

log = logging.getLogger("app.feed")


def write_lines() -> None:
    """Three calls below the threshold."""
    log.info("Feed requested", extra=REQUESTED)
    log.info("Cache missed", extra=MISSED)
    log.info("Feed loaded", extra=LOADED)


app = FastAPI()
add_endpoints(app, write_lines)
