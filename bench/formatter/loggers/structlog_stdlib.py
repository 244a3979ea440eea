"""structlog through the standard library, as most applications have it."""

from pathlib import Path
from typing import Any

import structlog

from bench.formatter.call import CONTEXT, MESSAGE, Calls, standard_logger


def make(folder: Path) -> Calls:
    """A ProcessorFormatter with the usual chain."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    standard_logger(folder / "structlog_stdlib.log", formatter)
    structlog.contextvars.bind_contextvars(**CONTEXT)
    log = structlog.stdlib.get_logger("app.feed")

    def call() -> None:
        log.info(MESSAGE, user_id="u-48213", count=9, duration_ms=12.5, source="database", cached=False)

    return {"structlog_stdlib": call}
