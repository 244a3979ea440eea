"""How a chat connection begins and how it is closed: the token, the hello, the close codes."""

import asyncio
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api.auth_failures import TokenMissingError, report_token_failure
from app.api.chat_protocol import BadDocumentError, Hello, parse
from app.core.config import Settings
from app.core.websockets import LOST, connection_of
from app.domain.tokens import Claims, TokenExpiredError, TokenInvalidError, verify

BAD_DOCUMENT: Final = 4400
NOT_SIGNED_IN: Final = 4401
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429
TRY_LATER: Final = 1013

SUBPROTOCOL: Final = "bearer"
"""Browsers can't set headers, so they offer two subprotocols: this name and the token. The answer has the name only."""

CLOSE_SECONDS: Final = 1.0
"""A peer that can't even be told of the close within this time is cut off."""

LINGER_SECONDS: Final = 15.0
"""Nor does the server wait longer than this for it to take what is still in the pipe."""


class ClosingError(Exception):
    """The connection shall end with this code. `reason` is a short name: it goes to the client and into the record."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code: Final = code
        self.reason: Final = reason


def offered_token(socket: WebSocket) -> tuple[str | None, bool]:
    """The token of the handshake, if there is one, and whether it came as a subprotocol."""
    header = socket.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        return (token.strip() if scheme.lower() == "bearer" else ""), False
    offered: list[str] = socket.scope.get("subprotocols", [])
    if len(offered) == 2 and offered[0] == SUBPROTOCOL:
        return offered[1], True
    return None, SUBPROTOCOL in offered


def checked_claims(settings: Settings, token: str | None) -> Claims:
    """Who it is. A token that is missing, wrong or too old is told about as everywhere, and ends the connection."""
    try:
        if token is None:
            raise TokenMissingError
        return verify(settings, token)
    except (TokenExpiredError, TokenInvalidError, TokenMissingError) as error:
        raise ClosingError(NOT_SIGNED_IN, report_token_failure(error, "websocket").code) from None


async def receive(socket: WebSocket) -> str | bytes:
    """What the client sends next. Raises WebSocketDisconnect when there is nothing more."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", LOST))
    found: str | bytes = message.get("text") or message.get("bytes") or ""
    return found


async def read_hello(socket: WebSocket, settings: Settings) -> Hello:
    """The client's first document. Raises ClosingError when it is none, or doesn't come in time."""
    try:
        async with asyncio.timeout(settings.chat_hello_seconds):
            document = parse(await receive(socket))
    except TimeoutError:
        raise ClosingError(TOO_SLOW, "no_hello") from None
    except BadDocumentError:
        raise ClosingError(BAD_DOCUMENT, "bad_hello") from None
    if not isinstance(document, Hello):
        raise ClosingError(BAD_DOCUMENT, "bad_hello")
    return document


async def close(socket: WebSocket, end: ClosingError) -> None:
    """Close in order; where the peer takes nothing any more, cut it off rather than wait for it."""
    connection = connection_of(socket.scope)
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close(end.code, end.reason)
    except TimeoutError:
        connection.break_off()
    except (RuntimeError, WebSocketDisconnect):  # it ended at the same time from the other side
        return
    if end.code == TOO_SLOW:
        asyncio.get_running_loop().call_later(LINGER_SECONDS, connection.break_off)
