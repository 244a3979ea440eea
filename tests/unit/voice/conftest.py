"""The loop of the tests of the voice service."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The loop that uvicorn runs."""
    return "asyncio"
