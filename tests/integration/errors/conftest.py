"""The stack's own error tracker: a real Bugsink, and a mail inbox beside it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import stack as shared_stack
from tests.support.bugsink import Bugsink
from tests.support.processes import Service
from tests.support.stack import RunningStack

stack = shared_stack.stack  # the session's fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs servers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def tracker(stack: RunningStack) -> Bugsink:
    """Bugsink as `make up` makes it."""
    stack.need("error_tracker", "inbox")
    return Bugsink(stack)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start a service by its name, with variables as keywords; all are stopped at the end."""
    running: list[Service] = []

    def start_one(name: str, **options: str) -> Service:
        service = Service(name, tmp_path / f"{name}{len(running)}", **options)  # type: ignore[arg-type]
        running.append(service)
        return service.start()

    yield start_one
    for service in reversed(running):
        service.stop()
