"""A database for each test, with logging into a spool."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.core import context
from app.core.config import Settings
from app.core.log_setup import configure_logging, shutdown_logging
from app.db.engine import Database
from app.db.migrate import upgrade_trial_database
from tests.support.backend import settings_for


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings over SQLite, and logging set up with them; an id is bound."""
    made = settings_for(tmp_path)
    configure_logging(made, "app")
    token = context.replace({"request_id": "unit"})
    yield made
    context.restore(token)
    shutdown_logging()


@pytest.fixture
async def database(settings: Settings, anyio_backend: str) -> AsyncIterator[Database]:
    """An empty database with its tables."""
    made = Database(settings)
    await upgrade_trial_database(made)
    yield made
    await made.close()
