"""A stack whose servers are one small server that answers what a test says."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from app.stack.doctor.model import Finding, Level, Scene
from app.stack.mode import Mode
from app.stack.stack import Stack
from tests.support.receiver import Asked, Receiver, Reply
from tests.unit.stack.conftest import open_at, stack

__all__ = ["open_at", "stack"]


class Servers(Receiver):
    """`answers` is path → status and JSON (or text); the query counts only where the path has one. Others get 404."""

    def __init__(self) -> None:
        self.answers: Final[dict[str, tuple[int, Any]]] = {}
        super().__init__()

    @property
    def url(self) -> str:
        """Where all of them are."""
        return f"http://{self.address}"

    def answer(self, asked: Asked) -> Reply:
        """What the test said."""
        path = asked.path.partition("?")[0]
        status, found = self.answers.get(asked.path) or self.answers.get(path) or (404, {})
        return Reply(status, found.encode() if isinstance(found, str) else json.dumps(found).encode())


@pytest.fixture
def servers() -> Iterator[Servers]:
    """All servers of the stack in one."""
    with Servers() as running:
        yield running


@pytest.fixture
def scene(stack: Stack, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A native stack that believes to run there."""
    monkeypatch.setattr(Stack, "url", lambda _, __: servers.url)
    monkeypatch.setattr(Stack, "port", lambda _, __: int(servers.address.rpartition(":")[2]))
    return Scene(stack, Mode.NATIVE)


def problems(findings: list[Finding]) -> list[tuple[str, str, str]]:
    """What, cause and fix of each problem; each has all three."""
    found = [(finding.what, finding.cause, finding.fix) for finding in findings if finding.level is Level.PROBLEM]
    assert all(all(problem) for problem in found)
    return found


def only(findings: list[Finding]) -> tuple[str, str, str]:
    """The one problem."""
    found = problems(findings)
    assert len(found) == 1, findings
    return found[0]
