"""A stack in a temporary folder: settings, folders and secrets, but no server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.stack.stack import Stack, open_stack

OpenStack = Callable[..., Stack]


@pytest.fixture
def open_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStack:
    """Opens the stack in the test's folder, with the given variables in the environment."""

    def opened(**environment: str) -> Stack:
        for name, value in {"STACK_DIR": str(tmp_path / "state"), **environment}.items():
            monkeypatch.setenv(name, value)
        found = open_stack()
        found.paths.create()
        return found

    return opened


@pytest.fixture
def stack(open_at: OpenStack) -> Stack:
    """The stack with nothing but defaults."""
    return open_at()
