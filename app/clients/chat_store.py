"""What the workers of the chat share: which messages were taken, the last ones of each chat, and a channel between them.

In Redis where there is one, and in the memory of the worker besides, so that a
chat within one worker goes on while Redis is away. A message is reserved
before it is delivered and settled afterwards; a worker that dies in between
leaves a reservation that ends by itself, so that sending again helps.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson
from redis.exceptions import RedisError

from app.clients.bounded import BoundedCalls
from app.clients.chat_memory import ChatMemory, Reservation
from app.clients.redis import RedisClient
from app.core import context, metrics
from app.core.config import Settings
from app.core.logger import get_logger

LIMIT_SECONDS: Final = 0.5
"""Longer than this no message waits for Redis."""

LISTEN_SECONDS: Final = 5.0
"""A silent subscription is looked after at this interval."""

PAUSE_SECONDS: Final = 1.0
"""Between two attempts to subscribe."""

BUSY_SECONDS: Final = 10
"""After this time a message that was reserved and never settled may be taken by whoever gets it next."""

KEPT_MESSAGES: Final = 50
"""Messages of one chat that are kept for those who come back."""

NOTHING_YET: Final = "0"
"""The cursor of a chat without messages."""

CHANNEL: Final = "nobet:chat:messages"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message on its way. Its text is for readers, never for records."""

    id: str
    chat_id: str
    sender: str
    text: str
    sent_at: float
    """Unix time."""


class ChatStore:
    """Shared by all connections of a worker."""

    def __init__(self, redis: RedisClient | None, settings: Settings) -> None:
        self._redis: Final = redis
        self._own: Final[ChatMemory[ChatMessage]] = ChatMemory(
            KEPT_MESSAGES, settings.chat_keep_seconds, settings.chat_resend_seconds, BUSY_SECONDS
        )
        self._worker: Final = context.new_id()
        self._settings: Final = settings
        self._calls: Final = BoundedCalls("chat", settings, LIMIT_SECONDS)
        self._failures: Final = metrics.counter("chat_delivery_failures_total")
        self.listening = redis is None
        """Whether messages of other workers come, as far as there can be any."""
        self._worked: bool | None = None

    async def reserve(self, message_id: str) -> Reservation:
        """Whether a message is new, and from now on the caller's to deliver."""
        own = self._own.reserve(message_id)
        if own is not Reservation.NEW or self._redis is None:
            return own
        work, key = self._redis.commands.pipeline(), _seen(message_id)
        work.set(key, "busy", nx=True, ex=BUSY_SECONDS)
        work.get(key)
        answer = await self._calls.ask(work.execute)
        if answer is None or answer[0]:
            return Reservation.NEW
        self._own.release(message_id)
        return Reservation.DONE if answer[1] == b"done" else Reservation.BUSY

    async def publish(self, message: ChatMessage) -> None:
        """Settle a message: keep it for those who come back, and hand it to the other workers."""
        self._own.settle(message.chat_id, message.id, message)
        if self._redis is None:
            return
        line, last = orjson.dumps(message), _last(message.chat_id)
        work = self._redis.commands.pipeline()
        work.rpush(last, line)
        work.ltrim(last, -KEPT_MESSAGES, -1)
        work.expire(last, self._settings.chat_keep_seconds)
        work.set(_seen(message.id), "done", ex=self._settings.chat_resend_seconds)
        work.publish(CHANNEL, orjson.dumps([self._worker, message]))
        if await self._calls.ask(work.execute) is None:
            self._failures.labels(reason="fan_out").inc()

    async def kept(self, chat_id: str) -> list[ChatMessage]:
        """The last messages of a chat, oldest first."""
        lines: list[bytes | str] | None = None
        if self._redis is not None:
            commands = self._redis.commands
            lines = await self._calls.ask(lambda: commands.lrange(_last(chat_id), 0, -1))
        shared = [ChatMessage(**orjson.loads(line)) for line in lines or ()]
        every = {message.id: message for message in (*shared, *self._own.kept(chat_id))}
        return sorted(every.values(), key=lambda message: message.sent_at)

    async def listen(self, take: Callable[[ChatMessage], None]) -> None:
        """Hand over what other workers publish, for ever. Without Redis there is nothing to hear."""
        while self._redis is not None:
            try:
                await self._subscribed(self._redis, take)
            except (RedisError, OSError) as error:
                if self.listening:
                    log.warning(
                        "The chat's channel is lost", event="chat.relay.failing", component="redis", error_type=type(error).__name__
                    )
                self.listening = False
            await asyncio.sleep(PAUSE_SECONDS)

    def _heard(self, line: bytes, take: Callable[[ChatMessage], None]) -> None:
        try:
            worker, fields = orjson.loads(line)
            message = ChatMessage(**fields)
        except (ValueError, TypeError):  # a worker of another version
            self._failures.labels(reason="fan_out").inc()
            return
        if worker != self._worker:
            take(message)

    def _silent(self, error: Exception) -> None:
        if self.listening or self._worked is None:
            log.warning("Other workers' messages don't come", event="chat.relay.failing", error_type=type(error).__name__)
        self.listening = self._worked = False

    async def _subscribed(self, redis: RedisClient, take: Callable[[ChatMessage], None]) -> None:
        async with redis.commands.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            while True:
                heard = await channel.get_message(timeout=LISTEN_SECONDS)
                if heard is None:
                    await channel.ping()
                elif heard["type"] == "subscribe":
                    if self._worked is False:
                        log.info("Other workers' messages come again", event="chat.relay.recovered")
                    self.listening = self._worked = True
                elif heard["type"] == "message":
                    self._heard(heard["data"], take)


def _seen(message_id: str) -> str:
    return f"nobet:chat:seen:{message_id}"


def _last(chat_id: str) -> str:
    return f"nobet:chat:last:{chat_id}"
