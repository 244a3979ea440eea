"""Settings and logging for clients, without any server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import context
from app.core.config import Settings
from app.core.log_setup import configure_logging, shutdown_logging
from tests.support.backend import settings_for


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings with logging into a spool; an id is bound. Circuits open after three failures."""
    made = settings_for(tmp_path, circuit_failures=3, circuit_open_seconds=30, feed_cache_seconds=5, rate_limit_per_minute=3)
    configure_logging(made, "app")
    token = context.replace({"request_id": "unit"})
    yield made
    context.restore(token)
    shutdown_logging()
