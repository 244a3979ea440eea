"""A second stack beside the first, started from the commit before this one and then upgraded to it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.stack.listeners import free_offset
from app.stack.paths import CHECKOUT
from tests.compose.containers import ONE_SHOT, Containers, whole
from tests.compose.engine import Engine
from tests.compose.keepsakes import Keepsakes


@pytest.fixture(scope="module")
def second(engine: Engine, stack: Containers) -> Iterator[Containers]:
    """Another whole stack, of the commit before this one, while the first runs."""
    folder = Path(tempfile.mkdtemp(prefix="nobet-second-"))
    before = folder / "before"
    _git("clone", "--quiet", "--shared", "--no-checkout", str(CHECKOUT), str(before))
    # A shallow clone has no commit before: the stacks still run beside each other, and the upgrade says that it was none.
    has_one = _git("-C", str(before), "rev-parse", "--quiet", "--verify", "HEAD~1", check=False) == 0
    _git("-C", str(before), "checkout", "--quiet", "HEAD~1" if has_one else "HEAD")
    containers = whole(engine, folder / "stack", free_offset())
    containers.checkout = before
    try:
        containers.up()
        yield containers
    finally:
        containers.remove()
        shutil.rmtree(folder)


def test_two_stacks_run_beside_each_other(stack: Containers, second: Containers) -> None:
    """Both are healthy, each on ports of its own, and what the one keeps the other does not know."""
    kept = Keepsakes(second)
    kept.check()
    for containers in (stack, second):
        assert _sick(containers) == []
    mine, theirs = ({item["Id"] for item in containers.inspect().values()} for containers in (stack, second))
    assert not mine & theirs
    assert kept.is_unknown_to(stack)


@pytest.mark.req("DEP-11")
def test_an_upgrade_keeps_the_data_of_the_commit_before(second: Containers) -> None:
    """Volumes of the commit before, the code and configuration of this one: healthy, and everything is still there."""
    if _head(second.checkout) == _head(CHECKOUT):
        pytest.skip("this clone has no commit before the last one to upgrade from: git fetch --unshallow")
    kept = Keepsakes(second)
    second.checkout = CHECKOUT
    second.up()
    kept.check()


def test_removing_one_leaves_the_other(stack: Containers, second: Containers) -> None:
    """`down --volumes` of the second takes nothing of the first."""
    second.remove()
    assert second.inspect() == {}
    assert _sick(stack) == []


def _git(*arguments: str, check: bool = True) -> int:
    return subprocess.run(["git", *arguments], check=check, stdin=subprocess.DEVNULL).returncode


def _head(checkout: Path) -> str:
    return subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout


def _sick(containers: Containers) -> list[str]:
    return [name for name in containers.inspect() if name not in ONE_SHOT and not containers.is_healthy(name)]
