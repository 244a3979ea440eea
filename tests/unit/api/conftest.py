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


@pytest.fixture
async def signed_in(backend: Backend) -> Backend:
    """The same, with user 7 signed in on every request of its client."""
    backend.http.headers.update(await backend.sign_in("7"))
    return backend
