"""structlog as its page on performance says: orjson, bytes straight to the file, nothing of the standard library."""

import logging
from pathlib import Path

import orjson
import structlog

from bench.formatter.call import CONTEXT, MESSAGE, Calls


def make(folder: Path) -> Calls:
    """A bound logger that is made once."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(file=(folder / "structlog.log").open("ab")),
    )
    structlog.contextvars.bind_contextvars(**CONTEXT)
    log = structlog.get_logger().bind(name="app.feed")

    def call() -> None:
        log.info(MESSAGE, user_id="u-48213", count=9, duration_ms=12.5, source="database", cached=False)

    return {"structlog_fastest": call}
