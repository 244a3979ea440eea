"""Real servers for the reference backend: PostgreSQL, Redis, and our own services as processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import stack as shared_stack
from tests.support.processes import CHECKOUT, Service, bare_environment
from tests.support.servers import Postgres, RedisServer
from tests.support.stack import RunningStack

StartService = Callable[..., Service]

stack = shared_stack.stack  # the session's fixture


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


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartService]:
    """Start a service by its name (app, voice), with variables as keywords; all are stopped at the end."""
    running: list[Service] = []

    def start_one(name: str, **options: object) -> Service:
        service = Service(name, tmp_path / f"{name}{len(running)}", **options)  # type: ignore[arg-type]
        running.append(service)
        return service.start()

    yield start_one
    for service in reversed(running):
        service.stop()
