"""A chat client as a phone or a browser has one, and the backend behind a real server in the test's own event loop."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.core.config import Settings
from app.core.serve import server_options
from app.domain.tokens import issue
from app.main import create_app
from tests.support.asgi import sample
from tests.support.backend import settings_for
from tests.support.processes import free_port
from tests.support.records import access_log_as_before, spooled

PATIENCE_SECONDS: Final = 30.0
SECRET: Final = "only-for-tests-0123456789-0123456789"


class ChatClient:
    """One connection. Confirms what it gets unless told otherwise; remembers where it stands, to go on after a drop."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket: Final = socket
        self.confirms = True
        self.greeting: dict[str, Any] = {}
        self.cursor = ""

    @classmethod
    async def open(cls, url: str, token: str | None = None, ident: str = "", *, subprotocol: bool = False, **hello: Any) -> Self:
        """Connect, say hello and wait for the answer. Raises ConnectionClosed when the server closes instead."""
        client = await cls.connect(url, token, ident, subprotocol=subprotocol)
        await client.say("hello", **hello)
        client.greeting = await client.hear("hello")
        client.cursor = client.greeting["cursor"]
        return client

    @classmethod
    async def connect(cls, url: str, token: str | None = None, ident: str = "", *, subprotocol: bool = False, **options: Any) -> Self:
        """Connect only. The token goes into the header, or into the subprotocol as browsers do it."""
        headers = {"X-Event-ID": ident} if ident else {}
        if token is not None and not subprotocol:
            headers["Authorization"] = f"Bearer {token}"
        protocols: Any = ["bearer", token] if subprotocol else None
        return cls(await connect(url, additional_headers=headers, subprotocols=protocols, proxy=None, **options))

    @property
    def chat_id(self) -> str:
        """The chat it is in."""
        return str(self.greeting["chat_id"])

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a document."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next document, which has to be of this type."""
        document: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE_SECONDS))
        assert document["type"] == kind, document
        if kind == "message" and self.confirms:
            self.cursor = document["id"]
            await self.say("ack", id=document["id"])
        return document

    async def post(self, client_id: str, text: str) -> dict[str, Any]:
        """Send a message and wait for its ack."""
        await self.say("message", id=client_id, text=text)
        return await self.hear("ack")

    async def closed(self, seconds: float = PATIENCE_SECONDS) -> tuple[int, str]:
        """Wait for the end; code and reason as the client sees them."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.socket.recv()
        except ConnectionClosed:
            return self.socket.close_code or 0, self.socket.close_reason or ""

    async def close(self) -> None:
        """Leave in order."""
        await self.socket.close()

    def drop(self) -> None:
        """Lose the network: no closing handshake."""
        self.socket.transport.abort()


@dataclasses.dataclass
class ChatServer:
    """A running backend with a real WebSocket server in front."""

    url: str
    app: FastAPI
    settings: Settings
    server: uvicorn.Server
    spool: Path

    def token(self, user: str = "ayse", lifetime: timedelta | None = None) -> str:
        """An access token."""
        return issue(self.settings, user, lifetime=lifetime)

    def soon_expired(self, user: str = "ayse", seconds: float = 1.0) -> str:
        """A token that expires, leeway included, within that time or up to a second earlier: tokens know whole seconds only."""
        return self.token(user, timedelta(seconds=seconds - self.settings.jwt_leeway_seconds))

    def records(self, request_id: str = "") -> list[dict[str, Any]]:
        """The records so far; of one id when it is given."""
        found = spooled(self.spool)
        return [record for record in found if record.get("request_id") == request_id] if request_id else found

    async def events(self, request_id: str, until: str) -> list[str]:
        """The events of an id, as soon as `until` is among them."""
        await eventually(f"{until} of {request_id}", lambda: until in self._events(request_id))
        return self._events(request_id)

    def _events(self, request_id: str) -> list[str]:
        return [str(record.get("event")) for record in self.records(request_id)]

    def one(self, request_id: str, event: str) -> dict[str, Any]:
        """The one record of that event."""
        (found,) = [record for record in self.records(request_id) if record.get("event") == event]
        return found


async def eventually(what: str, probe: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait, without holding up the event loop, until the probe says yes."""
    limit = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < limit:
        try:
            found, last = probe(), None
        except Exception as error:  # as in `wait_until`: not yet
            found, last = None, error
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds:g} s") from last


async def gauge_is(number: int) -> None:
    """Wait until the gauge of open WebSockets has this value."""
    await eventually(f"websocket_active_connections being {number}", lambda: sample("websocket_active_connections") == number)


@asynccontextmanager
async def serving_chat(folder: Path, **overrides: Any) -> AsyncIterator[ChatServer]:
    """The backend behind uvicorn on a free port, with the options of `app.core.serve`, in this event loop."""
    settings = settings_for(folder, **{"jwt_secret": SECRET, **overrides})
    app = create_app(settings)
    port = free_port()
    options = server_options(settings) | {"loop": "none", "host": "127.0.0.1", "port": port}
    with access_log_as_before():
        server = uvicorn.Server(uvicorn.Config(app, **options))
        task = asyncio.create_task(server.serve())
        try:
            await eventually("the server being up", lambda: server.started or task.done())
            yield ChatServer(f"ws://127.0.0.1:{port}/api/chat/ws", app, settings, server, folder / "spool")
        finally:
            server.should_exit = True
            await task
