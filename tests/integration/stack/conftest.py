"""The native runner with real servers."""

from pathlib import Path

import pytest

from tests.support.stack import stack  # noqa: F401 (a fixture)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs servers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)
