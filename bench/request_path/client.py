"""Sends a fixed number of requests over a few keep-alive connections, each the next as soon as it has an answer."""

import asyncio
from typing import Final, cast

CONNECTIONS: Final = 8
"""Enough to keep one worker busy all the time."""

ANSWER_SECONDS: Final = 60.0

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class AnswerError(Exception):
    """An answer other than 200, a broken connection, or none in time."""


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._request = b""
        self._left = 0
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the server closed the connection")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head[head.index(_LENGTH) + len(_LENGTH) :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + len(_HEAD_END) + length:
            return
        if not head.startswith(b"http/1.1 200"):
            self._fail(head[:40].decode("latin-1"))
            return
        self._buffer = b""
        self._left -= 1
        if self._left:
            assert self._transport is not None  # noqa: S101 (data came over it)
            self._transport.write(self._request)
        elif self._done is not None and not self._done.done():
            self._done.set_result(None)

    async def send(self, request: bytes, number: int) -> None:
        if self._transport is None or self._transport.is_closing():
            raise AnswerError("the server closed the connection")
        self._request, self._left = request, number
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            await asyncio.wait_for(self._done, ANSWER_SECONDS)
        except TimeoutError:
            raise AnswerError(f"no answer in {ANSWER_SECONDS:.0f} s") from None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _fail(self, reason: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(AnswerError(reason))


class Client:
    """Connections to one port of this machine, kept for many turns."""

    def __init__(self, port: int) -> None:
        self._port: Final = port
        self._connections: list[_Connection] = []

    async def get(self, path: str, number: int) -> int:
        """Send `number` requests, or a few more so that all connections send as many; returns how many. Raises AnswerError."""
        loop = asyncio.get_running_loop()
        while len(self._connections) < CONNECTIONS:
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
            self._connections.append(connection)
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode("ascii")
        each = -(-number // CONNECTIONS)
        await asyncio.gather(*(connection.send(request, each) for connection in self._connections))
        return each * CONNECTIONS

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
