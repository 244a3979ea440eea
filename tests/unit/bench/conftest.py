"""The loop for asynchronous tests."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the tool runs on, without uvloop."""
    return "asyncio"
