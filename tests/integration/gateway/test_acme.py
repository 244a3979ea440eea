"""A certificate by itself: real nginx, a real ACME server that really looks at every name, and the process that keeps it fresh."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import psutil
import pytest
from cryptography import x509

from app.core.ports import PORTS
from app.stack.acme.schedule import renewal_of
from app.stack.gateway.config import HEALTH_PATH
from app.stack.gateway.sites import hosts
from app.stack.listeners import is_free
from app.stack.paths import CHECKOUT
from tests.integration.gateway.conftest import OpenGateway
from tests.support.gateway import Gateway
from tests.support.handshakes import is_trusted, served
from tests.support.pebble import Pebble
from tests.support.processes import bare_environment, free_offset_of
from tests.support.records import spooled
from tests.support.waiting import wait_until

HOST: Final = "watch.example.org"
EMAIL: Final = "owner@example.org"
PATIENCE_SECONDS: Final = 180
LIFE_SECONDS: Final = 60
"""Of a certificate that is renewed while one waits: a third of it is left then, which is enough on a machine that stalls."""

CACHE: Final = CHECKOUT / ".stack" / "cache"


@dataclass
class World:
    """The gateway, the authority, and what keeps the certificate."""

    gateway: Gateway
    pebble: Pebble
    spool: Path
    offset: int = field(default_factory=lambda: free_offset_of("acme"))

    def run(self, *words: str, host: str = HOST) -> subprocess.CompletedProcess[str]:
        """One command of the keeper."""
        return subprocess.run(self._command(*words), env=self._environment(host), capture_output=True, text=True, check=False, timeout=300)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """The keeper runs for as long as the block lasts, and ends in order."""
        process = subprocess.Popen(self._command(), env=self._environment(HOST), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the keeper has told."""
        return [record for record in spooled(self.spool) if record.get("event") == name]

    def nobet(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`nobet` with a stack whose gateway this one is."""
        ports = {"STACK_PORT_OFFSET": str(self.gateway.tls_port - PORTS["gateway_tls"]), "STACK_DIR": str(self.gateway.folder / "stack")}
        command = [sys.executable, "-m", "app.cli", "certificate", *words, "--mode", "native"]
        environment = {**self._environment(HOST), **ports}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)

    def served(self) -> x509.Certificate:
        """What a client is shown who checks nothing."""
        return served(self.gateway.tls_port, HOST)

    def trusted(self, name: str) -> bool:
        """Whether a client is content who trusts the authority and nobody else."""
        return is_trusted(self.pebble.root(), self.gateway.tls_port, name)

    def _command(self, *words: str) -> list[str]:
        places = ["--folder", str(self.gateway.live.folder), "--web-root", str(self.gateway.folder / "acme")]
        return [sys.executable, "-m", "app.stack.acme", *places, "--gateway", f"http://127.0.0.1:{self.gateway.plain_port}", *words]

    def _environment(self, host: str) -> dict[str, str]:
        return bare_environment(
            ENVIRONMENT="test", LOG_LEVEL="DEBUG", SPOOL_DIR=str(self.spool), STACK_PORT_OFFSET=str(self.offset), GATEWAY_HOST=host,
            GATEWAY_ACME_EMAIL=EMAIL, GATEWAY_ACME_DIRECTORY=self.pebble.directory, GATEWAY_ACME_CA=str(self.pebble.ca),
        )  # fmt: skip


@contextmanager
def _world(open_gateway: OpenGateway, folder: Path, life_seconds: int = 90 * 24 * 3600) -> Iterator[World]:
    gateway = open_gateway(
        gateway_bind="0.0.0.0", gateway_host=HOST, gateway_acme_email=EMAIL, gateway_requests_per_second=10_000, gateway_connections=1000
    )
    with Pebble(folder / "pebble", gateway.plain_port, life_seconds) as pebble:
        yield World(gateway, pebble, folder / "spool")


@pytest.fixture
def world(open_gateway: OpenGateway, tmp_path: Path) -> Iterator[World]:
    """Certificates of the usual length."""
    with _world(open_gateway, tmp_path) as made:
        yield made


class Visitors:
    """Requests one after the other, each over a TLS connection of its own, for as long as the block lasts."""

    def __init__(self, gateway: Gateway) -> None:
        self.failures: Final[list[str]] = []
        self.requests = 0
        self._gateway: Final = gateway
        self._ended: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._visit, daemon=True)

    def _visit(self) -> None:
        while not self._ended.is_set():
            try:
                with self._gateway.client() as client:
                    answer = client.get(HEALTH_PATH)
                if answer.status_code != 200:
                    self.failures.append(str(answer.status_code))
            except Exception as error:  # whatever a visitor meets is a failure
                self.failures.append(repr(error))
            self.requests += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(PATIENCE_SECONDS)


def test_a_certificate_comes_and_is_renewed_by_itself(open_gateway: OpenGateway, tmp_path: Path) -> None:
    """Self-signed first, then one for all names, then the next one in time; nginx is not started anew and no request fails."""
    with _world(open_gateway, tmp_path, life_seconds=LIFE_SECONDS) as world, Visitors(world.gateway) as visitors:
        own = world.served()
        assert own.issuer == own.subject
        assert not world.trusted(HOST)
        nginx = psutil.Process(world.gateway.pid)
        processes = [nginx, *nginx.children(recursive=True)]

        with world.kept():
            wait_until("the first certificate is served", lambda: world.trusted(HOST), PATIENCE_SECONDS)
            first = world.served()
            assert [name for name in hosts(HOST) if not world.trusted(name)] == []
            wait_until("it is renewed", lambda: world.served().serial_number != first.serial_number, PATIENCE_SECONDS)
            assert world.trusted(HOST)
            assert time.time() < first.not_valid_after_utc.timestamp()
        assert [nginx, *nginx.children(recursive=True)] == processes
        before = visitors.requests
        wait_until("visitors come still", lambda: visitors.requests > before, PATIENCE_SECONDS)
    assert visitors.failures == []
    assert visitors.requests > 100
    assert len(world.events("certificate.issued")) >= 2
    assert world.events("certificate.failed") == []
    private = {path.name: path.stat().st_mode & 0o777 for path in world.gateway.live.folder.iterdir()}
    assert (private["key.pem"], private["account.pem"], world.gateway.live.folder.stat().st_mode & 0o777) == (0o600, 0o600, 0o700)
    told = list(spooled(world.spool))
    assert EMAIL not in str(told)
    assert not [record for record in told if record["logger"].startswith("acme")], "messages of the protocol have the address in base64"


def test_an_authority_that_is_away_takes_nothing_away(world: World) -> None:
    """The old certificate stays, the reason is told, and the authority has a pause of an hour; by hand it goes at once."""
    assert world.run("renew").returncode == 0
    first = world.served()
    due = renewal_of(world.gateway.live.held(), hosts(HOST))
    assert 58 < (due - first.not_valid_before_utc).days < 61

    world.pebble.stop()
    failed = world.run("renew", "--force")
    assert failed.returncode == 1
    assert "can't be asked" in failed.stderr
    assert world.served() == first
    told = world.run("show")
    assert (told.returncode, "failure 1: 127.0.0.1" in told.stdout) == (1, True)
    assert world.events("certificate.failed")[-1]["reason"] in told.stdout

    world.pebble.start()
    assert "Nothing is due" in world.run("renew").stdout
    assert world.served() == first
    again = world.run("renew", "--force")
    assert again.returncode == 0, again.stderr
    assert world.served() != first
    assert world.run("show").returncode == 0


def test_a_name_that_leads_elsewhere_is_named_and_the_authority_is_left_alone(world: World) -> None:
    """One order; neither a restart nor a request by hand makes another before the pause is over."""
    own, lost = world.served(), f"grafana.{HOST}"
    world.pebble.lose(lost)
    with world.kept():
        wait_until("the failure is told", lambda: world.events("certificate.failed"), PATIENCE_SECONDS)
    told = world.events("certificate.failed")[0]
    assert lost in told["reason"]
    assert "port 80" in told["reason"]
    assert hosts(HOST)[2] not in told["reason"]
    assert world.pebble.orders == 1

    with world.kept():
        wait_until("it runs again", lambda: len(world.events("app.started")) == 2, PATIENCE_SECONDS)
        by_hand = world.run("renew")
    assert (by_hand.returncode, "Nothing is due" in by_hand.stdout, lost in by_hand.stdout) == (1, True, True)
    assert world.pebble.orders == 1
    assert len(world.events("certificate.failed")) == 1
    assert world.served() == own


def test_other_names_have_another_certificate(world: World) -> None:
    """A changed GATEWAY_HOST is reason enough to ask; the certificate of before is served until the new one is there."""
    other = "guard.example.org"
    assert world.run("renew").returncode == 0
    assert world.trusted(HOST)
    assert "Nothing is due" in world.run("renew").stdout
    done = world.run("renew", host=other)
    assert done.returncode == 0, done.stderr
    assert [name for name in hosts(other) if not world.trusted(name)] == []


def test_the_command_shows_what_people_see(world: World) -> None:
    """Names, authority and end as they are served; a failure of the authority makes it exit with 1 and says when it goes on."""
    before = world.nobet()
    assert (before.returncode, "By         the stack itself; browsers warn of it" in before.stdout) == (1, True)
    assert world.run("renew").returncode == 0
    shown = world.nobet()
    for name in hosts(HOST):
        assert name in shown.stdout
    assert re.search(r"^By +Pebble Intermediate CA", shown.stdout, re.MULTILINE)
    assert re.search(r"^Until +\d{4}-\d\d-\d\d \d\d:\d\d UTC, 89 days left$", shown.stdout, re.MULTILINE)
    away = world.nobet("renew")
    assert (away.returncode, "does not serve challenges" in away.stderr) == (1, True), "the ports of this stack are others"


def test_nobody_is_asked_before_the_gateway_serves_challenges(world: World) -> None:
    """A gateway that isn't up yet is no failure of the names: no order, no pause."""
    nowhere = ["--gateway", "http://127.0.0.1:1", "renew"]
    refused = world.run(*nowhere)
    assert refused.returncode == 1
    assert "does not serve challenges" in refused.stderr
    assert world.pebble.orders == 0
    assert world.run("renew").returncode == 0


def test_two_settings_and_make_up_are_all_it_takes(tmp_path: Path) -> None:
    """The native stack with GATEWAY_HOST and GATEWAY_ACME_EMAIL set; without the second `up` ends what asks the authority."""
    offset = free_offset_of("gateway", "gateway_tls", "acme")
    tls = PORTS["gateway_tls"] + offset
    with Pebble(tmp_path / "pebble", PORTS["gateway"] + offset) as pebble:
        environment = bare_environment(
            ENVIRONMENT="production", STACK_DIR=str(tmp_path / "stack"), STACK_CACHE_DIR=str(CACHE), STACK_PORT_OFFSET=str(offset),
            GATEWAY_HOST=HOST, GATEWAY_ACME_EMAIL=EMAIL, GATEWAY_ACME_DIRECTORY=pebble.directory, GATEWAY_ACME_CA=str(pebble.ca),
        )  # fmt: skip

        def nobet(*words: str, **more: str) -> str:
            command = [sys.executable, "-m", "app.cli", *words, "--mode", "native"]
            done = subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=False, timeout=300)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        try:
            nobet("up", "gateway", "acme")
            wait_until("the certificate is served", lambda: is_trusted(pebble.root(), tls, HOST), PATIENCE_SECONDS)
            assert "Pebble Intermediate" in nobet("certificate")
            nobet("certificate", "renew", "--force")
            assert is_trusted(pebble.root(), tls, f"grafana.{HOST}")
            nobet("up", "gateway", GATEWAY_ACME_EMAIL="")
            assert served(tls, HOST).issuer == served(tls, HOST).subject
            assert is_free(PORTS["acme"] + offset)
        finally:
            nobet("down")
