"""Visitors who chat: two people over WebSocket; now and then a connection breaks and comes back under its id."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from app.stack.demo.people import AbsentError, Crowd, Person, Sender, new_id
from app.stack.demo.tally import NO_ANSWER, Answer

MOST_MESSAGES: Final = 5
DROP_SHARE: Final = 0.15
ANSWER_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.5
LOST: Final = "1006"


class Chatter:
    """Chats."""

    def __init__(self, sender: Sender, crowd: Crowd, dice: random.Random, is_over: Callable[[], bool]) -> None:
        self._sender: Final = sender
        self._crowd: Final = crowd
        self._dice: Final = dice
        self._is_over: Final = is_over

    async def visit(self) -> None:
        """Somebody begins a chat, somebody joins, messages go to and fro."""
        host, guest = await self._crowd.somebody(), await self._crowd.somebody()
        if host is None or guest is None:
            return
        started = await self._sender.send("chat", "POST", "/api/chat", json={}, headers=host.headers)
        if started is None or not started.is_success:
            return
        chat = started.json()
        path, chat_id = str(chat["websocket"]), str(chat["chat_id"])
        ident = new_id()
        if self._dice.random() < DROP_SHARE:
            await self._talk(host, path, chat_id, ident, drop=True)
        await asyncio.gather(self._talk(host, path, chat_id, ident), self._talk(guest, path, chat_id, new_id()))

    async def _talk(self, person: Person, path: str, chat_id: str, ident: str, *, drop: bool = False) -> None:
        """One connection: hello, some messages, each confirmed, and the end; with `drop` as when a tunnel begins."""
        started, outcome = time.monotonic(), NO_ANSWER
        url = self._sender.base_url.replace("http", "ws", 1) + path
        headers = {"X-Event-ID": ident, **person.headers}
        try:
            async with connect(url, additional_headers=headers, proxy=None, open_timeout=ANSWER_SECONDS) as socket:
                await self._say_all(socket, chat_id)
                if drop:
                    socket.transport.abort()
                    outcome = LOST
            outcome = LOST if drop else str(socket.close_code or NO_ANSWER)
        except InvalidStatus as error:
            outcome = str(error.response.status_code)
            if outcome in ("403", "404"):
                raise AbsentError(f"WebSocket {path}") from None
        except (WebSocketException, OSError, TimeoutError):
            outcome = LOST if drop else NO_ANSWER
        self._sender.tally.add(Answer("chat", ident, outcome, time.monotonic() - started, intended=outcome == (LOST if drop else "1000")))

    async def _say_all(self, socket: ClientConnection, chat_id: str) -> None:
        await _say(socket, type="hello", chat_id=chat_id)
        await _until(socket, "hello")
        for _ in range(self._dice.randint(1, MOST_MESSAGES)):
            if self._is_over():
                return
            await _say(socket, type="message", id=uuid.uuid4().hex[:16], text="A quiet word between visitors.")
            await _until(socket, "ack")
            await asyncio.sleep(self._dice.random() * PAUSE_SECONDS)


async def _say(socket: ClientConnection, **document: Any) -> None:
    await socket.send(orjson.dumps(document).decode())


async def _until(socket: ClientConnection, wanted: str) -> None:
    """Read until a document of the wanted type; messages of the others are confirmed meanwhile."""
    with suppress(ValueError):
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                document = orjson.loads(await socket.recv())
                if document.get("type") == "message":
                    await _say(socket, type="ack", id=str(document.get("message_id") or document.get("id")))
                if document.get("type") == wanted:
                    return
