"""One chat connection: sign in, join, talk, end. Each part ends it by raising `ClosingError`; the close is in one place."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api.auth_failures import report_token_failure
from app.api.chat_handshake import (
    BAD_DOCUMENT,
    NOT_SIGNED_IN,
    SUBPROTOCOL,
    TOO_MANY,
    TOO_SLOW,
    TRY_LATER,
    ClosingError,
    checked_claims,
    close,
    offered_token,
    read_hello,
    receive,
)
from app.api.chat_protocol import BadDocumentError, Confirmation, Hello, Ping, Post, Renewal, parse
from app.core import context
from app.core.config import Settings
from app.core.logger import get_logger
from app.core.websockets import LOST, connection_of
from app.domain.chat import Chat, ChatBusyError, ChatFullError
from app.domain.chat_rooms import Member
from app.domain.rate import Allowance
from app.domain.tokens import Claims, TokenExpiredError

SEND_SECONDS: Final = 10.0
"""A reader that takes nothing for so long is too slow."""

PATIENCE: Final = 20
"""Documents that may be refused until the connection is closed; each message that is taken wins one back."""

BROKEN_SECONDS: Final = 2.0
"""So long after the server has given a connection up its end must be known; else it waits for a peer that takes nothing."""

log = get_logger(__name__)


async def serve_chat(socket: WebSocket, chat: Chat, settings: Settings) -> None:
    """Serve one connection from the handshake to the close."""
    token, by_subprotocol = offered_token(socket)
    await socket.accept(subprotocol=SUBPROTOCOL if by_subprotocol else None)
    try:
        with chat.place():
            hello = await read_hello(socket, settings)
            # The id comes before the token is looked at, so that a refusal is found under it.
            ident = connection_of(socket.scope).adopt(hello.event_id) if hello.event_id is not None else context.request_id()
            claims = checked_claims(settings, hello.token if token is None else token)
            context.bind(user_id=claims.user_id)
            await ChatSession(socket, chat, settings, claims).run(hello, ident or "")
    except ChatFullError:
        await close(socket, ClosingError(TRY_LATER, "too_many_connections"))
    except ClosingError as end:
        await close(socket, end)
    except WebSocketDisconnect:
        return


class ChatSession:
    """A connection that is signed in."""

    def __init__(self, socket: WebSocket, chat: Chat, settings: Settings, claims: Claims) -> None:
        self._socket: Final = socket
        self._chat: Final = chat
        self._settings: Final = settings
        self._claims = claims
        self._heard = time.monotonic()
        self._refusals = 0
        self._told = False
        self._allowance: Final = Allowance(settings.chat_messages_per_second)

    async def run(self, hello: Hello, ident: str) -> None:
        """Join and talk until something ends it. Raises ClosingError or WebSocketDisconnect."""
        chat_id = hello.chat_id or self._chat.start(self._claims.user_id, hello.model)
        member, cursor = await self._chat.join(chat_id, self._claims.user_id, hello.after)
        reason = "closed"
        try:
            await self._say("hello", request_id=ident, chat_id=chat_id, cursor=cursor, **self._session())
            await self._talk(member)
        except ClosingError as end:
            reason = "slow_reader" if end.reason == "slow_reader" else "closed"
            raise
        except WebSocketDisconnect as gone:
            reason = "connection_lost" if connection_of(self._socket.scope).code == LOST or gone.code == LOST else "closed"
            raise
        finally:
            self._chat.leave(member, reason)

    def _session(self) -> dict[str, Any]:
        return {"user_id": self._claims.user_id, "expires_at": self._claims.expires_at}

    async def _talk(self, member: Member) -> None:
        """Read, write and watch at once; whichever ends first ends the others."""
        tasks = [asyncio.create_task(work) for work in (self._watch(member), self._read(member), self._write(member))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if task in done:
                task.result()

    async def _watch(self, member: Member) -> None:
        """Ends the connection when the token expires, nothing comes for too long, or the reader is too slow."""
        connection, was_broken = connection_of(self._socket.scope), False
        while True:
            self._check_expiry()
            quiet = time.monotonic() - self._heard
            if quiet >= self._settings.chat_idle_seconds:
                raise ClosingError(TOO_SLOW, "idle")
            if connection.broken and was_broken:  # the reader had time to hear of an orderly end
                connection.break_off()
                raise WebSocketDisconnect(LOST)
            was_broken = connection.broken
            look = BROKEN_SECONDS if was_broken else self._settings.websocket_ping_seconds
            pause = min(self._expires_in(), self._settings.chat_idle_seconds - quiet, look)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0.01)):
                    await member.too_slow.wait()
                    raise ClosingError(TOO_SLOW, "slow_reader")

    def _expires_in(self) -> float:
        """Seconds until the token counts as expired, by the same leeway as everywhere."""
        return self._claims.expires_at + self._settings.jwt_leeway_seconds - time.time()

    def _check_expiry(self) -> None:
        if self._expires_in() <= 0:
            if not self._told:  # the timer and a message may notice at the same moment
                self._told = True
                report_token_failure(TokenExpiredError(self._claims.user_id), "websocket")
            raise ClosingError(NOT_SIGNED_IN, "token_expired")

    async def _write(self, member: Member) -> None:
        while True:
            message = await member.next()
            await self._say(
                "message", id=message.id, chat_id=message.chat_id, sender=message.sender, text=message.text, sent_at=message.sent_at
            )
            self._chat.sent(message)

    async def _read(self, member: Member) -> None:
        while True:
            text = await receive(self._socket)
            self._check_expiry()
            self._heard = time.monotonic()
            try:
                document = parse(text)
            except BadDocumentError as error:
                self._chat.refused("invalid", member.chat_id)
                await self._refuse("invalid", str(error))
                continue
            await self._handle(member, document)

    async def _handle(self, member: Member, document: object) -> None:
        match document:
            case Post():
                await self._post(member, document)
            case Confirmation():
                self._chat.confirm(member, document.id)
            case Ping():
                await self._say("pong")
            case Renewal():
                await self._renew(document.token)
            case _:
                await self._refuse("invalid", "type: hello comes once, at the beginning")

    async def _post(self, member: Member, post: Post) -> None:
        problem = ""
        if len(post.text) > self._settings.chat_message_chars:
            problem = "invalid"
        elif not self._allowance.take(time.monotonic()):
            problem = "rate_limited"
        if problem:
            self._chat.refused(problem, member.chat_id)
            await self._refuse(problem, "text: too long" if problem == "invalid" else "Too many messages. Wait a moment.", id=post.id)
            return
        self._refusals = max(0, self._refusals - 1)
        try:
            taken = await self._chat.post(member, post.id, post.text)
        except ChatBusyError:
            await self._say("error", code="busy", detail="This message is being delivered. Send it again in a moment.", id=post.id)
            return
        await self._say("ack", id=post.id, message_id=taken.message_id, repeated=taken.repeated)

    async def _renew(self, token: str) -> None:
        claims = checked_claims(self._settings, token)
        if claims.user_id != self._claims.user_id:
            raise ClosingError(NOT_SIGNED_IN, "another_user")
        if claims.expires_at > self._claims.expires_at:
            self._claims = claims
        log.info("The chat goes on with a new token", event="chat.renewed")
        await self._say("renewed", **self._session())

    async def _refuse(self, code: str, detail: str, **more: str) -> None:
        """Say what is wrong; whoever doesn't listen is closed."""
        self._refusals += 1
        if self._refusals > PATIENCE:
            raise ClosingError(TOO_MANY if code == "rate_limited" else BAD_DOCUMENT, code)
        await self._say("error", code=code, detail=detail, **more)

    async def _say(self, kind: str, **fields: Any) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.send_text(orjson.dumps({"type": kind, **fields}).decode())
        except TimeoutError:
            raise ClosingError(TOO_SLOW, "slow_reader") from None
        except RuntimeError as error:  # the server has closed it already
            raise WebSocketDisconnect(LOST) from error
