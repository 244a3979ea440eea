"""Pebble, Let's Encrypt's ACME server for tests, with a name server of its own: names lead to one address unless told otherwise."""

import json
import ssl
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

from app.core.ports import LOOPBACK
from app.stack.components.checks import PEBBLE
from app.stack.install import go, unusable
from app.stack.install.__main__ import pebble_home
from app.stack.paths import CHECKOUT
from tests.support.processes import bare_environment, free_port
from tests.support.waiting import wait_until

_PATIENCE_SECONDS: Final = 60


class Pebble:
    """The authority, for as long as the block lasts.

    It asks names at `http_port` of `address`, where it listens too; its certificates hold `life_seconds`.
    """

    def __init__(self, folder: Path, http_port: int, life_seconds: int = 90 * 24 * 3600, address: str = LOOPBACK) -> None:
        folder.mkdir(parents=True)
        self.ca: Final = folder / "own.pem"
        self.output: Final = folder / "pebble.log"
        self._folder: Final = folder
        self._address: Final = address
        self._port, self._management, self._dns, self._names = (free_port() for _ in range(4))
        self._programs: Final = pebble_home(CHECKOUT / ".stack" / "cache")
        self._running: list[subprocess.Popen[bytes]] = []
        self._write(http_port, life_seconds)

    @property
    def directory(self) -> str:
        """Its directory, over TLS that `ca` vouches for."""
        return f"https://{self._address}:{self._port}/dir"

    @property
    def orders(self) -> int:
        """How often it was asked for a certificate."""
        return self.output.read_text(encoding="utf-8").count("Added order ") if self.output.exists() else 0

    def root(self) -> str:
        """The root certificate of what it signs, PEM; another one after each start."""
        return self._get(f"https://{self._address}:{self._management}/roots/0")

    def lose(self, name: str) -> None:
        """From now on the name server fails for this name."""
        body = json.dumps({"host": f"{name}."}).encode()
        urllib.request.urlopen(f"http://{self._address}:{self._names}/set-servfail", body, timeout=_PATIENCE_SECONDS).close()

    def start(self) -> None:
        """Begin anew: it remembers nothing."""
        names = [
            f"-dns01={self._address}:{self._dns}",
            f"-management={self._address}:{self._names}",
            f"-defaultIPv4={self._address}",
            "-defaultIPv6=",
        ]
        shut = ["-http01=", "-https01=", "-tlsalpn01=", "-doh="]
        self._spawn("pebble-challtestsrv", *names, *shut)
        self._spawn("pebble", "-config", str(self._folder / "pebble.json"), "-dnsserver", f"{self._address}:{self._dns}")
        wait_until("Pebble answers", self._answers, _PATIENCE_SECONDS)

    def stop(self) -> None:
        """End both."""
        for process in self._running:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)
        self._running.clear()

    def __enter__(self) -> Self:
        if reason := unusable(PEBBLE):
            pytest.skip(f"no Pebble on this machine: {reason}")
        go.build(PEBBLE, self._programs, self._programs.parent, print)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _write(self, http_port: int, life_seconds: int) -> None:
        key = self._folder / "own.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=pebble", "-addext", f"subjectAltName=IP:{self._address}", "-keyout", str(key), "-out", str(self.ca)],
            check=True, capture_output=True,
        )  # fmt: skip
        config = {
            "listenAddress": f"{self._address}:{self._port}",
            "managementListenAddress": f"{self._address}:{self._management}",
            "certificate": str(self.ca),
            "privateKey": str(key),
            "httpPort": http_port,
            "tlsPort": 1,
            "retryAfter": {"authz": 1, "order": 1},
            "profiles": {"default": {"description": "the only one", "validityPeriod": life_seconds}},
        }
        (self._folder / "pebble.json").write_text(json.dumps({"pebble": config}), encoding="utf-8")

    def _spawn(self, program: str, *arguments: str) -> None:
        with self.output.open("ab") as output:
            command = [str(self._programs / program), *arguments]
            environment = bare_environment(PEBBLE_VA_NOSLEEP="1")
            self._running.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output))

    def _answers(self) -> bool:
        try:
            return bool(self.root() and self._get(self.directory))
        except OSError:
            return False

    def _get(self, url: str) -> str:
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(url, context=context, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310 (its own)
            return str(answer.read().decode())
