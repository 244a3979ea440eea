"""Ports that are taken."""

import os
import socket
from collections.abc import Iterator

import pytest

from app.core.ports import LOOPBACK
from app.stack.components import COMPONENTS
from app.stack.errors import StackError
from app.stack.listeners import check_ports, free_offset, is_free
from app.stack.stack import Stack
from tests.unit.stack.conftest import OpenStack


@pytest.fixture
def shifted(open_at: OpenStack) -> Stack:
    """A stack whose ports are all free."""
    return open_at(STACK_PORT_OFFSET=str(free_offset()))


@pytest.fixture
def taken(shifted: Stack) -> Iterator[int]:
    """The stack's Redis port, taken by this very process."""
    with socket.create_server((LOOPBACK, shifted.port("redis"))):
        yield shifted.port("redis")


def test_free_ports_are_no_news(shifted: Stack) -> None:
    """Nothing is said when every port is free."""
    check_ports(shifted, COMPONENTS.values())


def test_a_taken_port_is_named_with_owner_and_remedy(shifted: Stack, taken: int) -> None:
    """The sentence says which port, for which component, who has it, and what to do."""
    with pytest.raises(StackError) as caught:
        check_ports(shifted, [COMPONENTS["redis"]])
    sentence = str(caught.value)
    assert f"Port in use: {taken} (redis) by " in sentence
    assert f"(pid {os.getpid()})" in sentence
    assert "STACK_PORT_OFFSET=" in sentence


def test_the_offered_offset_is_free(shifted: Stack, taken: int) -> None:
    """Following the advice leads to ports that nobody has."""
    with pytest.raises(StackError, match=r"STACK_PORT_OFFSET=\d+") as caught:
        check_ports(shifted, [COMPONENTS["redis"]])
    offset = int(str(caught.value).split("STACK_PORT_OFFSET=")[1].split(" ")[0])
    assert taken
    assert is_free(6379 + offset)
