"""A spool and a clean context for each test of the kit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import context
from tests.support.records import logging_to, spooled


@pytest.fixture(autouse=True)
def _clean_context() -> Iterator[None]:
    token = context.replace({})
    yield
    context.restore(token)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Logging into a fresh spool; call it for the records so far."""
    with logging_to(tmp_path / "spool"):
        yield lambda: spooled(tmp_path / "spool")
