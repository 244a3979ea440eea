"""nginx with our configuration, in front of servers that note what they hear."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Behind, Gateway, servers_behind

OpenGateway = Callable[..., Gateway]


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    """The servers behind the gateway."""
    with servers_behind() as found:
        yield found


@pytest.fixture(scope="module")
def gateway(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One with the usual settings, open to this machine, for all tests that change nothing of it."""
    with Gateway(tmp_path_factory.mktemp("gateway"), behind, gateway_requests_per_second=10_000) as running:
        yield running


@pytest.fixture
def open_gateway(behind: Behind, tmp_path: Path) -> Iterator[OpenGateway]:
    """Starts one with settings of its own, which ends with the test."""
    with ExitStack() as opened:

        def start(app_port: int = 0, **settings: Any) -> Gateway:
            return opened.enter_context(Gateway(tmp_path / "gateway", behind, app_port, **settings))

        yield start
