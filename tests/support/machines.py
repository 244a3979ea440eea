"""A second machine: a network namespace, and a cable to it whose packets can vanish. Needs the rights of root."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.launch import Running, launch_program

HERE: Final = "10.231.7.1"
"""Our end of the cable, where servers listen."""
ALSO_HERE: Final = "10.231.7.3"
"""The same machine under a second address, so that a test can still ask while packets to the first one vanish."""
THERE: Final = "10.231.7.2"

_NOWHERE: Final = "02:00:00:00:00:99"
"""A hardware address that nobody has: what is sent to it is dropped without a word."""


_SCAN: Final = """
import socket, sys

for port in range(1, 65536):
    with socket.socket() as knocking:
        knocking.settimeout(1)
        if knocking.connect_ex((sys.argv[1], port)) == 0:
            print(port)
"""
"""Knocks at every port, with nothing but Python's own library."""

_SCAN_SECONDS: Final = 300


class Machine:
    """The other end."""

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._cable: Final = f"{name}c"

    def lose_packets(self) -> None:
        """Whatever goes from there to HERE is dropped from now on; connections stay open."""
        self._there("ip", "neigh", "replace", HERE, "lladdr", _NOWHERE, "nud", "permanent", "dev", self._cable)

    def heal(self) -> None:
        """Packets arrive again."""
        self._there("ip", "neigh", "del", HERE, "dev", self._cable)

    def launch(self, module: str, words: Sequence[str], environment: dict[str, str], folder: Path, output: Path) -> Running:
        """Start a Python module there; see `tests.support.launch`."""
        return launch_program(module, words, environment, folder, output, before=["ip", "netns", "exec", self._name])

    def open_ports(self, address: str = HERE) -> set[int]:
        """Every TCP port of `address` that takes a connection from there."""
        command = ["ip", "netns", "exec", self._name, sys.executable, "-c", _SCAN, address]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SCAN_SECONDS)
        return {int(word) for word in done.stdout.split()}

    def _there(self, *command: str) -> None:
        subprocess.run(["ip", "netns", "exec", self._name, *command], check=True)


@contextmanager
def second_machine() -> Iterator[Machine]:
    """It is there for as long as the block lasts. Skips the test where this user can't make one.

    There is one at a time on this machine, because all have the same addresses: the next one waits.
    """
    with (Path(tempfile.gettempdir()) / "nobet-second-machine.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _cabled() as machine:
            yield machine


@contextmanager
def _cabled() -> Iterator[Machine]:
    name = f"nb{os.getpid()}"
    here, there = f"{name}h", f"{name}c"
    if sys.platform != "linux" or os.geteuid() or subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        pytest.skip("this user can't make a network namespace")
    try:
        _run(f"ip link add {here} type veth peer name {there} netns {name}")
        for address in (HERE, ALSO_HERE):
            _run(f"ip addr add {address}/29 dev {here}")
        _run(f"ip link set {here} up")
        _run(f"ip netns exec {name} ip addr add {THERE}/29 dev {there}")
        _run(f"ip netns exec {name} ip link set {there} up")
        yield Machine(name)
    finally:
        subprocess.run(["ip", "link", "del", here], capture_output=True, check=False)
        _run(f"ip netns del {name}")


def _run(command: str) -> None:
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
