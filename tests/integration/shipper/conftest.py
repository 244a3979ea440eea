"""One real Elasticsearch for all tests here; a spool, indices and a shipper of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shipping import Shipping
from tests.support.stack import RunningStack


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
