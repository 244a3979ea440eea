"""Ours, into the spool: the own front, the standard library's and structlog's."""

import logging
from pathlib import Path

import structlog

from app.core import context
from app.core.config import load_settings
from app.core.log_setup import configure_logging
from app.core.logger import get_logger
from bench.formatter.call import CONTEXT, MESSAGE, Calls, standard_call

UNLIMITED = 1_000_000_000
"""For the gate against floods, which stays in the path: a bench is a flood, and it must not save the work."""


def make(folder: Path) -> Calls:
    """Three ways into the same pipeline."""
    settings = load_settings(_env_file=None, spool_dir=folder, log_stdout=False, log_level="INFO", log_flood_limit=UNLIMITED)
    configure_logging(settings, "bench")
    context.replace(CONTEXT)
    log, other = get_logger("app.feed"), structlog.get_logger("app.feed")

    def call() -> None:
        log.info(MESSAGE, extra={"user_id": "u-48213", "count": 9, "duration_ms": 12.5, "source": "database", "cached": False})

    def keywords() -> None:
        log.info(MESSAGE, user_id="u-48213", count=9, duration_ms=12.5, source="database", cached=False)

    def through_structlog() -> None:
        other.info(MESSAGE, user_id="u-48213", count=9, duration_ms=12.5, source="database", cached=False)

    return {
        "kit": call,
        "kit_keywords": keywords,
        "kit_stdlib": standard_call(logging.getLogger("app.feed")),
        "kit_structlog": through_structlog,
    }
