"""Real Elasticsearch and PostgreSQL for tracked events; indices, spool and shipper of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Postgres
from tests.support.shipping import Shipping
from tests.support.stack import RunningStack
from tests.support.tracking import Tracking


@pytest.fixture
def tracking(stack: RunningStack, _postgres: Postgres, tmp_path: Path) -> Iterator[Tracking]:
    """Templates and an empty table in place, the shipper not running yet."""
    stack.need("elasticsearch")
    _postgres.ask("TRUNCATE tracked_events")
    shipping = Shipping(stack, tmp_path)
    tracking = Tracking(shipping, _postgres)
    try:
        shipping.set_up()
        yield tracking
    finally:
        _postgres.make_sure()
        shipping.close()
