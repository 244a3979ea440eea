"""Sends requests over many keep-alive connections and measures each answer.

Paced: every connection has a timetable of its own (exponential pauses, so that
arrivals are as irregular as people), and time is counted from when a request was
due, not from when it could be sent. So a server that falls behind can't hide it
by slowing its measurer down (no coordinated omission).

Saturated: every connection sends the next request as soon as it has an answer.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Final, cast

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"

ANSWER_SECONDS: Final = 30.0
"""A connection without an answer for so long has failed."""

PAUSE_SECONDS: Final = 0.05
"""After a failure, so that a server that refuses is not hammered."""


@dataclass
class Measured:
    """What came of a run. Times in seconds."""

    seconds: float = 0.0
    totals: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    errors: int = 0
    """Answers other than 2xx, and connections that broke."""
    most_open: int = 0

    @property
    def share_of_errors(self) -> float:
        """Errors among all requests."""
        return self.errors / max(1, self.errors + len(self.totals))


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[int] | None = None
        self.first_byte = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits, waits in vain."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("connection lost"))

    def data_received(self, data: bytes) -> None:
        """Collect an answer; only answers with a length are understood, which are all of ours."""
        if not self._buffer:
            self.first_byte = time.perf_counter()
        self._buffer += data
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        place = head.find(LENGTH)
        length = int(head[place + len(LENGTH) :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(self._buffer) >= end + len(HEAD_END) + length and self._waiting is not None and not self._waiting.done():
            status = int(head[9:12])
            self._buffer.clear()
            self._waiting.set_result(status)

    async def ask(self, request: bytes) -> int:
        """The status of the answer. Raises ConnectionError or TimeoutError."""
        if self._transport is None:
            raise ConnectionError("not connected")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._waiting, ANSWER_SECONDS)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._transport is not None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


class Load:
    """A number of connections to one port of this machine, and the requests that they send in turn."""

    def __init__(self, port: int, connections: int, requests: list[bytes]) -> None:
        self._port: Final = port
        self._number: Final = connections
        self._requests: Final = requests
        self._open = 0

    async def run(self, seconds: float, think_seconds: float | None) -> Measured:
        """Measure for some seconds. `think_seconds`: mean time between two requests of a connection; None: no pause at all."""
        result = Measured()
        start = time.perf_counter() + 0.5  # until then all connections are made, a few at a time
        end = start + seconds
        gate = asyncio.Semaphore(50)
        await asyncio.gather(*(self._user(number, gate, start, end, think_seconds, result) for number in range(self._number)))
        result.seconds = max(time.perf_counter(), end) - start
        return result

    async def _user(self, number: int, gate: asyncio.Semaphore, start: float, end: float, think: float | None, result: Measured) -> None:
        dice = random.Random(number)  # noqa: S311 (the same pauses in each run, for the sake of comparison)
        connection = await self._connect(gate)
        due = start + (dice.random() * think if think else 0.0)
        place = number
        try:
            while True:
                if not think:
                    due = max(due, time.perf_counter())
                if due >= end:
                    return
                await _sleep_until(due)
                if not connection.is_open:
                    connection = await self._connect(gate)
                await self._one(connection, self._requests[place % len(self._requests)], due, result)
                place += 1
                due += dice.expovariate(1 / think) if think else 0.0
        finally:
            self._open -= 1
            connection.close()

    async def _connect(self, gate: asyncio.Semaphore) -> Connection:
        async with gate:
            _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        self._open += 1
        return connection

    async def _one(self, connection: Connection, request: bytes, due: float, result: Measured) -> None:
        try:
            status = await connection.ask(request)
        except (OSError, TimeoutError):
            connection.close()
            result.errors += 1
            self._open -= 1
            await asyncio.sleep(PAUSE_SECONDS)
            return
        if 200 <= status < 300:
            result.totals.append(time.perf_counter() - due)
            result.first_bytes.append(connection.first_byte - due)
        else:
            result.errors += 1
        result.most_open = max(result.most_open, self._open)


async def _sleep_until(moment: float) -> None:
    pause = moment - time.perf_counter()
    if pause > 0:
        await asyncio.sleep(pause)


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie; 0 without values."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
