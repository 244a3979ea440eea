"""What the middleware does for a WebSocket: id, gauge, records and close code, whatever way the connection ends.

The gauge falls when the end is known, not when the application gets round to
noticing. A drop without a closing handshake is 1006, which uvicorn doesn't
tell from a close without a code.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.websockets import WebSocketDisconnect

from app.core import context, metrics, tracing
from app.core.correlation import Correlation, echo_headers, is_valid_id
from app.core.logger import ERROR, INFO, WARNING, get_logger
from app.core.requests import Recorder, Request

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

NO_CODE: Final = 1005
LOST: Final = 1006
SERVER_FAULT: Final = 1011
RESTART: Final = 1012

STANDARD_CODES: Final = frozenset({1000, 1001, 1002, 1003, NO_CODE, LOST, 1007, 1008, 1009, 1010, SERVER_FAULT, RESTART, 1013})
"""Codes of RFC 6455 and its registry. A client may send any of 3000 to 4999, which must not make a series each."""

OTHER_CODE: Final = "other"
REFUSED: Final = "refused"

log = get_logger("app.request")

_KEY: Final = "nobet.connection"


class Connection:
    """One WebSocket, between the server and the application."""

    def __init__(self, request: Request, correlation: Correlation, receive: Receive, send: Send) -> None:
        self.code = 0
        """The close code, as soon as there is one."""
        self.reason = ""
        """Short name that the application gave when it closed the connection. What clients say is not kept."""
        self.opened = False
        self._ours = False
        self._counted = False
        self._request = request
        self._correlation = correlation
        self._receive = receive
        self._send = send
        self._gauge = metrics.gauge("websocket_active_connections")

    @property
    def label(self) -> str:
        """The close code as a label value; a handshake that was answered with an HTTP status has none."""
        if not self.opened and self.code == LOST:
            return REFUSED
        return str(self.code) if self._ours or self.code in STANDARD_CODES else OTHER_CODE

    def adopt(self, ident: str) -> str:
        """Go on under an id from the first message, for clients that can't set headers; returns the id in force.

        One that came with the handshake stays: the other is then kept beside it.
        An unusable one is warned about and not used, as in a header.
        """
        current = self._correlation.request_id
        if not is_valid_id(ident):
            log.warning("A request id from outside was not usable", event="http.request.id_rejected", reason="first message")
            return current
        if ident == current:
            return current
        if not self._correlation.made:
            context.bind(client_request_id=ident)
            return current
        log.info("WebSocket goes on under its client's id", event="websocket.identified", client_request_id=ident)
        context.bind(request_id=ident)
        self._request.scope["state"]["correlation_id"] = self._correlation.request_id = ident
        return ident

    @property
    def broken(self) -> bool:
        """Whether the server has given the connection up, though nobody has told the application yet."""
        with suppress(AttributeError):
            return bool(self._transport().is_closing())
        return False

    def break_off(self) -> None:
        """Let go of the connection at once. For peers that don't even take the close frame: it would wait for them."""
        with suppress(AttributeError):
            self._transport().abort()

    def _transport(self) -> Any:
        """Uvicorn's; other servers raise AttributeError."""
        return self._receive.__self__.transport  # type: ignore[attr-defined]

    async def receive(self) -> Message:
        """The server's receive, which notes the end."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code", NO_CODE)
            self._ended(LOST if code == NO_CODE and "reason" not in message else code)
        return message

    async def send(self, message: Message) -> None:
        """The server's send, which adds the id and notes beginning and end."""
        kind = message["type"]
        if kind in ("websocket.accept", "websocket.http.response.start"):
            message["headers"] = [*message.get("headers", ()), *echo_headers(self._correlation)]
        if kind == "websocket.accept":
            self.opened = self._counted = True
            self._gauge.inc()
            log.info(f"WebSocket {self._request.path} opened", event="websocket.opened")
        elif kind == "websocket.close" and not self.code:
            self.reason, self._ours = message.get("reason") or "", True
            self._ended(message.get("code", 1000))
        try:
            await self._send(message)
        except OSError:  # the server's way to say that the client is gone
            self._ended(LOST)
            raise

    async def fail(self) -> None:
        """The application broke: say so with 1011, or with a 500 where the handshake isn't over."""
        with suppress(Exception):
            if self.opened:
                await self.send({"type": "websocket.close", "code": SERVER_FAULT, "reason": "server_fault"})
            else:
                await self._refuse(500, "Internal Server Error")
        self._ended(SERVER_FAULT)

    async def _refuse(self, status: int, detail: str) -> None:
        body = orjson.dumps({"detail": detail, "request_id": self._correlation.request_id})
        headers = [(b"content-type", b"application/json")]
        await self.send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await self.send({"type": "websocket.http.response.body", "body": body})

    def _ended(self, code: int) -> None:
        self.code = self.code or code
        self.over()

    def over(self) -> None:
        """Nothing more will come: the gauge falls, once."""
        if self._counted:
            self._counted = False
            self._gauge.dec()


def connection_of(scope: Scope) -> Connection:
    """The connection that an endpoint serves."""
    found: Connection = scope[_KEY]
    return found


class Sockets:
    """Serves the WebSockets of an application."""

    def __init__(self, app: ASGIApp, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder
        self._closed = metrics.counter("websocket_closed_total")

    async def serve(self, request: Request, correlation: Correlation, receive: Receive, send: Send) -> None:
        """One connection from the handshake to its end. An exception of the application is recorded and reported here, once."""
        connection = request.scope[_KEY] = Connection(request, correlation, receive, send)
        try:
            await self._app(request.scope, connection.receive, connection.send)
        except asyncio.CancelledError:
            request.outcome = "cancelled"
            connection.code = connection.code or RESTART
            raise
        except Exception as error:  # noqa: BLE001 (recorded, reported and answered here; the server would only log it again)
            if not (connection.code and isinstance(error, (WebSocketDisconnect, OSError))):
                request.error, request.outcome = error, "failed"
                await connection.fail()
        finally:
            connection.over()
            self._record(request, connection)

    def _record(self, request: Request, connection: Connection) -> None:
        endpoint = self._recorder.endpoint(request.scope)
        connection.code = connection.code or LOST
        if request.outcome == "completed":
            request.outcome = _outcome(connection)
        self._closed.labels(endpoint, connection.label).inc()
        level = ERROR if request.error else WARNING if request.outcome == "dropped" else INFO
        log.log(
            level,
            f"WebSocket {endpoint} closed",
            exc_info=request.error,
            event="websocket.closed",
            endpoint=endpoint,
            close_code=connection.code,
            reason=connection.reason or None,
            outcome=request.outcome,
            duration_ms=round((time.perf_counter() - request.started) * 1000, 3),
        )
        attributes: dict[str, str | int] = {"http.route": endpoint, "request_id": context.request_id() or ""}
        tracing.end(request.trace, f"WEBSOCKET {endpoint}", attributes, request.error, failed=False)


def _outcome(connection: Connection) -> str:
    if not connection.opened:
        return "refused"
    return "dropped" if connection.code == LOST else "completed"
