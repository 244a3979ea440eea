"""Finds out before the start whether the ports are free, and who has them when they are not."""

import random
import socket
from collections.abc import Collection, Iterable
from typing import Final

import psutil

from app.core.ports import LOOPBACK, PORTS
from app.stack.errors import StackError
from app.stack.model import Component
from app.stack.stack import Stack

_TRIES: Final = 200

HIGHEST_PORT: Final = 29_699
"""No port of a further stack is above it: from 32768 on Linux gives ports to outgoing connections, and one of them would
stand in the way of a component that starts later. The room between is for single servers."""


def check_ports(stack: Stack, components: Iterable[Component]) -> None:
    """Raise StackError with one sentence when a port of `components` is taken; it names all of them."""
    taken = [
        f"{stack.port(name)} ({component.name}) by {owner_of(stack.port(name))}"
        for component in components
        for name in component.ports
        if not is_free(stack.port(name))
    ]
    if taken:
        many = len(taken) > 1
        raise StackError(
            f"Port{'s' if many else ''} in use: {', '.join(taken)}. Stop {'them' if many else 'it'}, "
            f"or shift all ports of this stack: put STACK_PORT_OFFSET={_free_offset(stack.offset)} into {stack.paths.env_file}."
        )


def free_offset(promised: Collection[int] = ()) -> int:
    """An offset for a further stack, drawn by chance, at which every port of the table is free.

    `promised` are offsets of other stacks that may not listen yet. Raises StackError.
    """
    step = _step()
    for _ in range(_TRIES):
        offset = random.randrange(2000, HIGHEST_PORT - max(PORTS.values()) + 1, step)  # noqa: S311 (chance, not secrecy)
        if offset not in promised and _has_room(offset):
            return offset
    raise StackError("There is no room for the ports of a further stack. End something that listens, and run again.")


def _step() -> int:
    """A distance of which no two ports are a multiple apart: stacks of different offsets then never share a port.

    That matters because components start when they are needed, long after the offset was chosen.
    """
    numbers = set(PORTS.values())
    differences = {high - low for high in numbers for low in numbers if high > low}
    return next(step for step in range(100, 1000) if all(difference % step for difference in differences))


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just stopped is no hindrance
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def owner_of(port: int) -> str:
    """The process that listens on a port, as far as this user may know."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process"


def _free_offset(current: int) -> int:
    for offset in range(current + 100, current + 4000, 100):
        if _has_room(offset):
            return offset
    return current + 4000


def _has_room(offset: int) -> bool:
    """Whether every port of the table, shifted, is free."""
    return all(is_free(port + offset) for port in PORTS.values())
