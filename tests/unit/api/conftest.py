"""The backend under test, over SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.backend import Backend, running_backend


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"


@pytest.fixture
async def backend(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Backend]:
    """A fresh one for each test."""
    async with running_backend(tmp_path) as running:
        yield running
