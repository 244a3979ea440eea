"""PostgreSQL and Redis of the tests' stack, as things that can be stopped, frozen and started again at will."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]
import psutil

from app.stack.components import COMPONENTS
from tests.support.stack import RunningStack


class Server:
    """One server of the stack."""

    def __init__(self, stack: RunningStack, name: str) -> None:
        stack.need(name)
        self._stack: Final = stack
        self._name: Final = name

    def stop(self) -> None:
        """End it, as a restart would: open connections are cut."""
        self.thaw()
        self._stack.stop(self._name)

    def start(self) -> None:
        """Start it again and wait until it works."""
        self._stack.start(self._name)

    def freeze(self) -> None:
        """Stop all of its processes in their tracks: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def make_sure(self) -> None:
        """Let it work again, whatever was done to it."""
        try:
            self.thaw()
        except AssertionError:  # it is stopped
            self.start()

    def _signal(self, number: signal.Signals) -> None:
        parent = psutil.Process(self._stack.pid(self._name))
        parent.send_signal(number)  # before the look at its children: a frozen one makes no more of them
        for process in parent.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                process.send_signal(number)


class Postgres(Server):
    """The stack's PostgreSQL, with its role and its database."""

    def __init__(self, stack: RunningStack) -> None:
        super().__init__(stack, "postgres")
        self.password: Final = stack.secret("POSTGRES_PASSWORD")
        self.url: Final = stack.expand(COMPONENTS["app"].env["DATABASE_URL"])
        """What to put into DATABASE_URL."""

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
        return await asyncpg.connect(self.url.replace("+asyncpg", ""), timeout=30)


class RedisServer(Server):
    """The stack's Redis."""

    def __init__(self, stack: RunningStack) -> None:
        super().__init__(stack, "redis")
        self.password: Final = stack.secret("REDIS_PASSWORD")
        self.url: Final = stack.expand(COMPONENTS["app"].env["REDIS_URL"])
        """What to put into REDIS_URL."""
