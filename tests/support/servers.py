"""A PostgreSQL and a Redis of the tests' own, that can be stopped, frozen and started again at will.

The programs are the stack's: the same packages from the same cache, or the
system's PostgreSQL where there is one.
"""

import asyncio
import secrets
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import asyncpg  # type: ignore[import-untyped]
import psutil
from redis import Redis

from app.stack.commands import library_path
from app.stack.components.data import POSTGRES, REDIS
from app.stack.install import install
from app.stack.model import Component
from app.stack.privileges import as_ordinary_user
from tests.support.processes import CHECKOUT, bare_environment, free_port
from tests.support.waiting import wait_until

CACHE: Final = CHECKOUT / ".stack" / "cache"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 30


class Server(ABC):
    """One server process in a folder of its own."""

    stop_signal: signal.Signals = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.port: Final = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it works; may raise instead of False."""

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Its environment."""

    def start(self) -> Self:
        """Start it and wait until it works."""
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                self.command(), env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        wait_until(f"{type(self).__name__} answers", self.answers, START_SECONDS)
        return self

    def stop(self) -> None:
        """End it, as a restart or a crash would: open connections are cut."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(self.stop_signal)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def make_sure(self) -> None:
        """Let it work again, whatever was done to it."""
        if self._process is None:
            self.start()
        else:
            self.thaw()

    def freeze(self) -> None:
        """Stop all of its processes in their tracks: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            parent = psutil.Process(self._process.pid)
            for process in (parent, *parent.children(recursive=True)):
                process.send_signal(number)


class Postgres(Server):
    """PostgreSQL with one role, whose password is `password`, and one database."""

    stop_signal = signal.SIGINT  # "fast": ends sessions instead of waiting for them

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.password: Final = secrets.token_urlsafe(18)
        self._home, self._programs = _postgres_programs()
        password_file = folder / "password"
        password_file.write_text(self.password)
        arguments = [
            "-D",
            str(folder / "data"),
            "-U",
            "nobet",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "scram-sha-256",
            f"--pwfile={password_file}",
        ]
        subprocess.run(
            [*as_ordinary_user(), str(self._programs / "initdb"), *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=120,
        )

    @property
    def url(self) -> str:
        """What to put into DATABASE_URL."""
        return f"postgresql+asyncpg://nobet:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def environment(self) -> dict[str, str]:
        """Where its libraries are."""
        return bare_environment(LD_LIBRARY_PATH=library_path(self._home), LANG="C.UTF-8")

    def command(self) -> list[str]:
        """Loopback only, no socket file, nothing forced to disk."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "60",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*as_ordinary_user(), str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options]

    def answers(self) -> bool:
        """Whether a query works."""
        return self.ask("SELECT 1") == "1"

    def ask(self, statement: str) -> str:
        """Run something; the first value of the first row as text."""

        async def work() -> object:
            connection = await self._connect()
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return str(asyncio.run(work()))

    @contextmanager
    def locking(self, table: str) -> Iterator[None]:
        """Nobody else can use the table for as long as the block lasts."""
        with asyncio.Runner() as runner:
            connection = runner.run(self._connect())
            runner.run(connection.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            try:
                yield
            finally:
                runner.run(connection.close())

    async def _connect(self) -> Any:
        return await asyncpg.connect(user="nobet", password=self.password, host="127.0.0.1", port=self.port, database="postgres", timeout=5)


class RedisServer(Server):
    """Redis with a password, and nothing kept on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.password: Final = secrets.token_urlsafe(18)
        self._home: Final = _installed(REDIS)
        (folder / "redis.conf").write_text(
            f'bind 127.0.0.1\nport {self.port}\nsave ""\nappendonly no\ndir {folder}\nrequirepass {self.password}\n', encoding="utf-8"
        )

    @property
    def url(self) -> str:
        """What to put into REDIS_URL."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def environment(self) -> dict[str, str]:
        """Where its libraries are."""
        return bare_environment(LD_LIBRARY_PATH=library_path(self._home))

    def command(self) -> list[str]:
        """With its configuration in a file, since it has a password."""
        return [str(self._home / "usr/bin/redis-server"), str(self.folder / "redis.conf")]

    def answers(self) -> bool:
        """Whether a ping is answered."""
        with Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())


def _postgres_programs() -> tuple[Path, Path]:
    """The home of the PostgreSQL to use, and the folder of its programs."""
    for home in (Path("/"), None):
        root = home or _installed(POSTGRES)
        found = sorted(root.glob("usr/lib/postgresql/*/bin/postgres"))
        if found:
            return root, found[-1].parent
    raise AssertionError("No PostgreSQL: neither the system's nor the stack's")


def _installed(component: Component) -> Path:
    return install(component.sources[0], component, CACHE, lambda _text: None)
