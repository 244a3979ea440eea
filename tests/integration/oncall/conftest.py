"""A real PostgreSQL without a trace of earlier incidents, and replicas of the on-call service over it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.oncall import TABLES, Replicas
from tests.support.servers import Postgres

MakeReplicas = Callable[..., Replicas]


@pytest.fixture
def postgres(_postgres: Postgres) -> Postgres:
    """The database, empty."""
    _postgres.ask(f"DROP TABLE IF EXISTS {TABLES} CASCADE")
    return _postgres


@pytest.fixture
def replicas(postgres: Postgres, tmp_path: Path) -> Iterator[MakeReplicas]:
    """Say the policy, get something that starts replicas; settings and times as keywords."""
    with ExitStack() as running:

        def make(policy: dict[str, Any], **options: Any) -> Replicas:
            return running.enter_context(Replicas(tmp_path / "oncall", postgres.url, policy, **options))

        yield make
