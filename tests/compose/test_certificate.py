"""A certificate by ACME in containers: one gets it, another serves it, and neither has a right more for it."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from app.core.ports import PORTS
from app.stack.gateway.sites import hosts
from app.stack.listeners import free_offset
from tests.compose.containers import Containers, outside_address
from tests.compose.engine import Engine
from tests.support.handshakes import is_trusted, served
from tests.support.pebble import Pebble
from tests.support.waiting import wait_until

HOST: Final = "watch.example.org"
PATIENCE_SECONDS: Final = 180
FOLDER: Final = "var/lib/nobet/certificates"


@dataclass
class Door:
    """The two containers, and the authority outside."""

    containers: Containers
    pebble: Pebble

    def is_trusted(self, name: str = HOST) -> bool:
        """Whether the certificate that is served is the authority's."""
        return is_trusted(self.pebble.root(), self.containers.port("gateway_tls"), name, outside_address())

    def serial(self) -> int:
        """Of the certificate that is served."""
        return served(self.containers.port("gateway_tls"), HOST, outside_address()).serial_number


@pytest.fixture
def door(engine: Engine) -> Iterator[Door]:
    """Nothing but the gateway and what keeps its certificate: the rest of the stack would add minutes and no knowledge."""
    folder = Path(tempfile.mkdtemp(prefix="nobet-acme-"))
    offset, address = free_offset(), outside_address()
    with Pebble(folder / "pebble", PORTS["gateway"] + offset, address=address) as pebble:
        containers = Containers(
            engine, folder / "stack", offset, COMPOSE_PROFILES="acme", GATEWAY_BIND=address, GATEWAY_HOST=HOST,
            GATEWAY_ACME_EMAIL="owner@example.org", GATEWAY_ACME_DIRECTORY=pebble.directory, GATEWAY_ACME_CA=str(pebble.ca),
        )  # fmt: skip
        try:
            # As it is before somebody sets the address: the volume is made by the gateway, which may not write to it.
            without = Containers(engine, folder / "stack", offset, GATEWAY_BIND=address, GATEWAY_HOST=HOST)
            door = Door(containers, pebble)
            for stack, services in ((without, ["gateway"]), (containers, ["acme", "gateway"])):
                stack.prepare()
                stack.compose("up", "-d", "--no-deps", *services)
                wait_until("the gateway answers", door.serial, PATIENCE_SECONDS)
            yield door
        finally:
            containers.remove()
            shutil.rmtree(folder)


@pytest.mark.req("ACC-07")
def test_a_certificate_comes_and_is_replaced_while_the_gateway_goes_on(door: Door) -> None:
    """After the self-signed one, for all names, then the next by hand; the gateway's container stays, and reads no other key."""
    wait_until("the certificate is served", door.is_trusted, PATIENCE_SECONDS)
    assert [name for name in hosts(HOST) if not door.is_trusted(name)] == []
    before, first = door.containers.inspect()["gateway"], door.serial()
    assert "Pebble Intermediate" in door.containers.nobet("certificate", "--mode", "compose")
    door.containers.nobet("certificate", "renew", "--force", "--mode", "compose")
    assert door.serial() != first
    assert door.is_trusted()
    after = door.containers.inspect()
    assert (after["gateway"]["Id"], after["gateway"]["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])

    keeper = after["acme"]
    assert (keeper["Config"]["User"], keeper["HostConfig"]["ReadonlyRootfs"], keeper["HostConfig"]["CapDrop"]) == (
        "10001:10001",
        True,
        ["ALL"],
    )
    assert not keeper["HostConfig"]["CapAdd"]
    status = Path(f"/proc/{keeper['State']['Pid']}/status").read_text(encoding="utf-8")
    assert "CapEff:\t0000000000000000" in status
    folder = Path(f"/proc/{after['gateway']['State']['Pid']}/root") / FOLDER
    shown = {path.name: (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) for path in folder.iterdir()}
    assert (shown["key.pem"], shown["account.pem"][2], folder.stat().st_mode & 0o7777) == ((10001, 101, 0o640), 0o600, 0o2750)
