"""One real Elasticsearch for all tests here; indices and archives of its own for each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.log_setup import shutdown_logging
from tests.support.retention import Retention
from tests.support.stack import RunningStack

MakeRetention = Callable[..., Retention]


@pytest.fixture
def make_retention(stack: RunningStack, tmp_path: Path) -> Iterator[MakeRetention]:
    """Make what a test needs, with settings as keywords."""
    stack.need("elasticsearch")
    made: list[Retention] = []

    def make(**options: Any) -> Retention:
        made.append(Retention(stack, tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    shutdown_logging()
    for one in made:
        one.close()


@pytest.fixture
def retention(make_retention: MakeRetention) -> Retention:
    """Indices and archives with the usual settings."""
    return make_retention()
