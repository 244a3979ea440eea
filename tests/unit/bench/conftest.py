"""The loop for asynchronous tests."""

from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The loop that the tool runs on."""
    return "asyncio", {"use_uvloop": True}
