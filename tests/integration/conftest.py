"""Real servers for everything in this folder: the session's stack, a PostgreSQL with our schema, our own services as processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import CHECKOUT, Service, bare_environment
from tests.support.servers import Postgres
from tests.support.stack import RunningStack, stack

__all__ = ["stack"]

StartService = Callable[..., Service]


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
