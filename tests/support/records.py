"""Reads what was logged."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from app.core.config import Settings, load_settings
from app.core.log_bridges import ACCESS, PipelineHandler
from app.core.log_setup import configure_logging, shutdown_logging
from app.core.spool import list_segments

WRITING_SECONDS: Final = 1.0


def spooled(folder: Path) -> list[dict[str, Any]]:
    """All records of a spool, in the order of their segments. Fails on a line that is no JSON object."""
    names = [name for name in list_segments(folder) if not name.stream]  # tracked events are no records
    lines = b"".join(_content(folder / str(name)) for name in names).splitlines()
    return [json.loads(line) for line in lines]


def _content(segment: Path) -> bytes:
    """All lines of a segment. One that is just being written is given a moment to get its end; one that has none stays as it is."""
    patience = time.monotonic() + WRITING_SECONDS
    while (content := segment.read_bytes()) and not content.endswith(b"\n") and time.monotonic() < patience:
        time.sleep(0.01)
    return content


@contextmanager
def logging_to(folder: Path, **overrides: Any) -> Iterator[Settings]:
    """Logging set up with a spool in `folder` and no standard output, taken down at the end."""
    settings = load_settings(**{"spool_dir": folder, "log_stdout": False, "log_level": "DEBUG", **overrides})
    configure_logging(settings, "app")
    try:
        yield settings
    finally:
        shutdown_logging()


def listen_alone() -> None:
    """Log as in a service, where no test runner listens too. To be called in the test itself: the runner's handlers come just before."""
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, PipelineHandler)]


@contextmanager
def access_log_as_before() -> Iterator[None]:
    """Undo what a server of uvicorn in this process does to its access logger, which would stay silent in later tests."""
    logger = logging.getLogger(ACCESS)
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)
