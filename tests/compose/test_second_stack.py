"""A second stack beside the first, started from the commit before this one and then upgraded to it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from app.stack.listeners import free_offset
from app.stack.paths import CHECKOUT
from tests.compose.containers import ONE_SHOT, Containers, whole
from tests.compose.engine import Engine
from tests.compose.keepsakes import Keepsakes

SERVICES: Final = ("app", "oncall", "prometheus", "alertmanager", "mailpit", "grafana", "gateway")
"""The second one, and what they need: all stores but Elasticsearch, of which one is enough for a machine of two cores."""


@pytest.fixture(scope="module")
def second(engine: Engine, stack: Containers) -> Iterator[Containers]:
    """Another stack, of the commit before this one, while the first runs."""
    folder = Path(tempfile.mkdtemp(prefix="nobet-second-"))
    before = folder / "before"
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", CHECKOUT, before], check=True)
    subprocess.run(["git", "-C", before, "checkout", "--quiet", "HEAD~1"], check=True)
    containers = whole(engine, folder / "stack", free_offset())
    containers.checkout = before
    try:
        containers.up(*SERVICES)
        yield containers
    finally:
        containers.remove()
        shutil.rmtree(folder)


def test_two_stacks_run_beside_each_other(stack: Containers, second: Containers) -> None:
    """Both are healthy, each on ports of its own, and what the one keeps the other does not know."""
    Keepsakes(second, searched=False).check()
    for containers in (stack, second):
        assert _sick(containers) == []
    mine, theirs = ({item["Id"] for item in containers.inspect().values()} for containers in (stack, second))
    assert not mine & theirs
    assert Keepsakes(second, searched=False).is_unknown_to(stack)


@pytest.mark.req("DEP-11")
def test_an_upgrade_keeps_the_data_of_the_commit_before(second: Containers) -> None:
    """Volumes of the commit before, the code and configuration of this one: healthy, and everything is still there."""
    kept = Keepsakes(second, searched=False)
    second.checkout = CHECKOUT
    second.up(*SERVICES)
    kept.check()


def test_removing_one_leaves_the_other(stack: Containers, second: Containers) -> None:
    """`down --volumes` of the second takes nothing of the first."""
    second.remove()
    assert second.inspect() == {}
    assert _sick(stack) == []


def _sick(containers: Containers) -> list[str]:
    return [name for name in containers.inspect() if name not in ONE_SHOT and not containers.is_healthy(name)]
