"""Traffic that mixes up contexts where they can be mixed up, and the check that nothing was."""

import asyncio
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.uri import parse_uri

from tests.support.otlp_sink import ReceivedSpan
from tests.support.processes import Service

BODY: Final = b"x" * 300_000
PATIENCE_SECONDS: Final = 60
SLOW_ARE_WELCOME: Final = {"WEBSOCKET_PING_SECONDS": "600", "CHAT_HELLO_SECONDS": "600"}
"""Two hundred clients in one process say hello when it is their turn, and answer no ping while they wait for the others."""


class IsolationService(Service):
    """`tests.support.isolation_app` as a process, on a chosen event loop."""

    def __init__(self, folder: Path, loop: str, *, leaky: bool = False, **variables: str) -> None:
        super().__init__(
            "app", folder, workers=1, port=None, RATE_LIMIT_PER_MINUTE="0", REQUEST_TIMEOUT_SECONDS="0", **SLOW_ARE_WELCOME, **variables
        )
        self._arguments: Final = [str(self.port), loop, *(["leaky"] if leaky else [])]

    def command(self) -> list[str]:
        """How it is started."""
        return [sys.executable, "-m", "tests.support.isolation_app", *self._arguments]


class Wire:
    """One connection that is kept alive: requests one after the other, and a WebSocket at the end."""

    def __init__(self, port: int) -> None:
        self._port: Final = port
        self.socket = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/api/chat/ws"))
        self._heard: list[dict[str, Any]] = []

    async def open(self) -> "Wire":
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def post(self, truth: str, *, named: bool = True) -> int:
        """A big POST whose path names its id; the header does too, unless it shall go without. Returns the status."""
        header = f"X-Event-ID: {truth}\r\n" if named else ""
        head = f"POST /isolation/{truth} HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: {len(BODY)}\r\n\r\n"
        self._writer.write(head.encode() + BODY)
        await self._writer.drain()
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", answer, re.IGNORECASE)
        await self._reader.readexactly(int(length[1]) if length else 0)
        return int(answer.split()[1])

    async def upgrade(self, token: str, ident: str | None) -> str:
        """Go on as a WebSocket on the same connection; returns the id that the server answers with."""
        request = self.socket.connect()
        request.headers["Authorization"] = f"Bearer {token}"
        if ident:
            request.headers["X-Event-ID"] = ident
        self.socket.send_request(request)
        await self._flush()
        return str((await self._next(Response)).headers["X-Request-ID"])

    async def say(self, **document: Any) -> None:
        """Send a document."""
        self.socket.send_text(json.dumps(document).encode())
        await self._flush()

    async def hear(self) -> dict[str, Any]:
        """The next document."""
        document: dict[str, Any] = json.loads(bytes((await self._next(Frame)).data))
        return document

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        await self._writer.wait_closed()

    async def _next(self, kind: type[Any]) -> Any:
        while True:
            for event in self.socket.events_received():
                if isinstance(event, kind):
                    return event
            self.socket.receive_data(await asyncio.wait_for(self._reader.read(65536), PATIENCE_SECONDS))

    async def _flush(self) -> None:
        for data in self.socket.data_to_send():
            self._writer.write(data)
        await self._writer.drain()


def leaks(records: list[dict[str, Any]], owners: dict[str, str]) -> list[str]:
    """Every record that stands under another id than its own. `owners` gives the id of each user and each chat."""
    found = []
    for record in records:
        claims = {str(record.get("extra", {}).get("truth", "")), str(record.get("path", "")).partition("/isolation/")[2]}
        claims |= {owners.get(str(record.get(name)), "") for name in ("user_id", "chat_id")}
        found += [f"{record.get('message')}: {claim} under {record.get('request_id')}" for claim in claims - {"", record.get("request_id")}]
    return found


def mixed_traces(records: list[dict[str, Any]], spans: list[ReceivedSpan]) -> list[str]:
    """Traces whose records have more than one id, and spans that stand in the trace of another id."""
    ids = {(record["trace_id"], record["request_id"]) for record in records if "trace_id" in record}
    found = [trace for trace, count in Counter(trace for trace, _ in ids).items() if count > 1]
    owner = dict(ids)
    for span in spans:
        path = span.attributes.get("url.path", "")
        truths = {span.attributes.get("truth"), span.attributes.get("request_id"), path.partition("/isolation/")[2]}
        mine = owner.get(span.trace_id)
        found += [f"{span.name}: {truth} in the trace of {mine}" for truth in truths - {None, "", mine}]
    return found
