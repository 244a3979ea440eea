"""Ours: the three lines of `app.core.kit`. What is on is decided by the environment, as in production."""

from fastapi import FastAPI

from app.core.config import get_settings
from app.core.kit import Observability
from app.core.logger import get_logger
from bench.request_path.apps.endpoints import LOADED, MISSED, REQUESTED, add_endpoints

log = get_logger("app.feed")


def write_lines() -> None:
    """Three records."""
    log.info("Feed requested", extra=REQUESTED)
    log.info("Cache missed", extra=MISSED)
    log.info("Feed loaded", extra=LOADED)


obs = Observability("app", get_settings())
app = FastAPI(lifespan=obs.lifespan)
obs.install(app)
add_endpoints(app, write_lines)
