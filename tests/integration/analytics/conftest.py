"""Real Elasticsearch and PostgreSQL for tracked events; indices, spool and shipper of its own for each test."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import CHECKOUT, bare_environment
from tests.support.servers import Postgres
from tests.support.shipping import Shipping
from tests.support.stack import RunningStack, stack
from tests.support.tracking import Tracking

__all__ = ["stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs servers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def _postgres(stack: RunningStack) -> Postgres:
    server = Postgres(stack)
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=CHECKOUT,
        env=bare_environment(DATABASE_URL=server.url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return server


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
