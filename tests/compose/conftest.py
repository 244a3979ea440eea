"""The containers of the project, once for all tests of this folder: an engine, images, and the stack itself."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.stack.components.checks import COMPOSE
from app.stack.install import go
from app.stack.install.__main__ import compose_home
from app.stack.listeners import free_offset
from app.stack.mode import has_compose
from app.stack.paths import CHECKOUT
from app.stack.stack import open_stack
from tests.compose import standins
from tests.compose.containers import Containers, whole
from tests.compose.engine import Engine

REAL = os.environ.get("REAL") == "1"
"""Take the real images, from the registries, and the machine's own engine."""

CACHE = Path(os.environ.get("STACK_CACHE_DIR") or CHECKOUT / ".stack" / "cache")

KEPT = os.environ.get("COMPOSE_TEST_KEEP")
"""A folder: the private engine, its images and the stack stay there between runs. For those who write these tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs containers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.compose)
            item.add_marker(pytest.mark.timeout(1800))  # the first one waits for images and a start


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine with every image that docker-compose.yml names."""
    folder = None if REAL else Path(KEPT or tempfile.mkdtemp(prefix="nobet-docker-"))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)  # the kept one, the first time
    private = Engine(folder, _plugin())
    try:
        private.start()
        if folder is not None:
            work = folder / "work"
            work.mkdir(exist_ok=True)
            stack = open_stack({**os.environ, "STACK_DIR": str(work / "stack"), "STACK_CACHE_DIR": str(CACHE)})
            standins.build(private, stack, work, _tell)
        yield private
    finally:
        private.close(keep=bool(KEPT))


@pytest.fixture(scope="session")
def stack(engine: Engine) -> Iterator[Containers]:
    """The whole stack in containers, healthy."""
    folder = Path(KEPT) / "kept" if KEPT else Path(tempfile.mkdtemp(prefix="nobet-containers-"))
    containers = whole(engine, folder, _offset(folder))
    try:
        _tell("the whole stack")
        containers.up()
        yield containers
    finally:
        if not KEPT:
            containers.remove()
            shutil.rmtree(folder)


def _offset(folder: Path) -> int:
    """The one that the kept stack has, or a free one."""
    noted = folder / "offset"
    if noted.exists():
        return int(noted.read_text(encoding="utf-8"))
    offset = free_offset()
    folder.mkdir(exist_ok=True)
    noted.write_text(str(offset), encoding="utf-8")
    return offset


def _plugin() -> Path | None:
    """Compose v2 for a Docker client that has none."""
    if has_compose():
        return None
    go.build(COMPOSE, compose_home(CACHE), CACHE, _tell)
    return compose_home(CACHE) / COMPOSE.program


def _tell(what: str) -> None:
    """Minutes without a word look like a hang."""
    sys.__stderr__.write(f"  containers: {what}\n") if sys.__stderr__ else None
