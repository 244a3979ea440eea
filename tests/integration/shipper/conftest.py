"""One real Elasticsearch for all tests here; a spool, indices and a shipper of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shipping import Shipping
from tests.support.stack import RunningStack, stack

__all__ = ["stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs servers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def shipping(stack: RunningStack, tmp_path: Path) -> Iterator[Shipping]:
    """Index templates in place, nothing running yet."""
    stack.need("elasticsearch")
    shipping = Shipping(stack, tmp_path)
    try:
        shipping.set_up()
        yield shipping
    finally:
        shipping.close()
