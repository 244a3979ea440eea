"""Real servers for the reference backend: PostgreSQL, Redis, and our own services as processes."""

from collections.abc import Iterator

import pytest

from tests.support.servers import Postgres, RedisServer
from tests.support.stack import RunningStack


@pytest.fixture
def postgres(_postgres: Postgres) -> Iterator[Postgres]:
    """PostgreSQL with an empty schema; running again afterwards, whatever the test did to it."""
    _postgres.ask("TRUNCATE posts RESTART IDENTITY CASCADE")
    yield _postgres
    _postgres.make_sure()


@pytest.fixture(scope="session")
def _redis(stack: RunningStack) -> RedisServer:
    return RedisServer(stack)


@pytest.fixture
def redis(_redis: RedisServer) -> Iterator[RedisServer]:
    """Redis; running again afterwards, whatever the test did to it."""
    yield _redis
    _redis.make_sure()
