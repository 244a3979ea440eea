"""The chat: starting and joining, taking a message once, handing it on, and knowing that it arrived. Texts are never logged."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from app.clients.chat_memory import Reservation
from app.clients.chat_store import NOTHING_YET, ChatMessage, ChatStore
from app.clients.redis import RedisClient
from app.core import context, error_tracking, metrics, tracing
from app.core.analytics import track_event
from app.core.config import Settings
from app.core.logger import get_logger
from app.domain.chat_rooms import Member, Rooms

NAMESPACE: Final = uuid.UUID("6d1f4a52-40b9-4a0e-9c55-0f7d64a7a1b3")
"""Makes the id of a message from chat, sender and the sender's own id, so that every worker gives a repeated one the same."""

log = get_logger(__name__)


class ChatFullError(Exception):
    """This worker has as many connections as it may."""


class ChatBusyError(Exception):
    """Another connection is delivering the same message right now; send it again in a moment."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken, now or before."""

    message_id: str
    repeated: bool


class Chat:
    """The chat in one worker."""

    def __init__(self, settings: Settings, redis: RedisClient | None) -> None:
        self.rooms: Final = Rooms()
        self.store: Final = ChatStore(redis, settings)
        self._settings: Final = settings
        self._connections = 0
        self._messages: Final = metrics.counter("chat_messages_total")
        self._refused: Final = metrics.counter("chat_messages_refused_total")
        self._failures: Final = metrics.counter("chat_delivery_failures_total")
        self._duration: Final = metrics.histogram("chat_delivery_duration_seconds")

    async def run(self) -> None:
        """Hear what other workers take, for ever."""
        with context.run("chat"):
            await self.store.listen(self.rooms.deliver)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one connection as long as the block lasts. Raises ChatFullError when this worker can take no more."""
        if self._connections >= self._settings.chat_connections:
            raise ChatFullError
        self._connections += 1
        try:
            yield
        finally:
            self._connections -= 1

    def start(self, user_id: str, model: str | None = None) -> str:
        """Begin a chat; returns its id. It can't be guessed: whoever is signed in and has it may join."""
        chat_id, model = uuid.uuid4().hex, model or self._settings.chat_model
        log.info("Chat started", event="chat.started", chat_id=chat_id, model=model)
        track_event(user_id, "chat_start", {"chat_id": chat_id, "model": model})
        return chat_id

    async def join(self, chat_id: str, user_id: str, after: str | None) -> tuple[Member, str]:
        """Read along in a chat, and get what came since the message `after`.

        Returns where the reader stands, too: `after`, else the newest message.
        Without `after` nothing of the past comes; with one that is no longer kept, everything that is. Own messages don't come.
        """
        member = Member(chat_id, user_id, self._settings.chat_queue_messages)
        self.rooms.join(member)
        try:
            kept = await self.store.kept(chat_id)
        except BaseException:
            self.rooms.leave(member)
            raise
        missed = [] if after is None else [message for message in _since(kept, after) if message.sender != user_id]
        for message in missed[-max(1, self._settings.chat_queue_messages // 2) :]:
            member.offer(message)
        log.info("Chat joined", event="chat.joined", chat_id=chat_id, count=len(missed))
        return member, after or (kept[-1].id if kept else NOTHING_YET)

    async def post(self, member: Member, client_id: str, text: str) -> Taken:
        """Take a message and hand it to all others in the chat; one that came before is only confirmed. Raises ChatBusyError."""
        message_id = uuid.uuid5(NAMESPACE, f"{member.chat_id}/{member.user_id}/{client_id}").hex
        about: dict[str, Any] = {"chat_id": member.chat_id, "message_id": message_id}
        with tracing.span("chat.message", **about):
            reservation = await self.store.reserve(message_id)
            if reservation is Reservation.BUSY:
                self.refused("busy", member.chat_id)
                raise ChatBusyError
            if reservation is Reservation.DONE:
                self._refused.labels(reason="repeated").inc()
                log.info("Chat message repeated", event="chat.message.repeated", **about)
                return Taken(message_id, repeated=True)
            self._messages.labels(direction="received").inc()
            log.info("Chat message received", event="chat.message.received", bytes=len(text.encode()), **about)
            message = ChatMessage(message_id, member.chat_id, member.user_id, text, time.time())
            self.rooms.deliver(message, but=member)
            await self.store.publish(message)
        track_event(member.user_id, "message_sent", {"chat_id": member.chat_id, "message_length": len(text)})
        return Taken(message_id, repeated=False)

    def refused(self, reason: str, chat_id: str) -> None:
        """A message was not taken. `reason` is a label of chat_messages_refused_total."""
        self._refused.labels(reason=reason).inc()
        log.info("Chat message refused", event="chat.message.refused", chat_id=chat_id, reason=reason)

    def sent(self, message: ChatMessage) -> None:
        """A message went out to a reader."""
        self._messages.labels(direction="sent").inc()
        log.debug("Chat message sent", event="chat.message.sent", chat_id=message.chat_id, message_id=message.id)

    def confirm(self, member: Member, message_id: str) -> None:
        """A reader says that it has a message."""
        message = member.confirm(message_id)
        if message is None:
            return
        seconds = max(0.0, time.time() - message.sent_at)
        self._messages.labels(direction="delivered").inc()
        self._duration.observe(seconds)
        log.info(
            "Chat message delivered",
            event="chat.message.delivered",
            chat_id=message.chat_id,
            message_id=message_id,
            duration_ms=round(seconds * 1000, 3),
        )
        track_event(member.user_id, "message_delivered", {"chat_id": message.chat_id, "duration_ms": round(seconds * 1000, 3)})

    def leave(self, member: Member, reason: str) -> None:
        """The connection is over. What it never confirmed counts as not delivered, for now. `reason` is a label of the counter."""
        self.rooms.leave(member)
        left = member.left()
        if not left:
            return
        self._failures.labels(reason=reason).inc(len(left))
        log.warning("Chat messages not delivered", event="chat.message.undelivered", chat_id=member.chat_id, count=len(left), reason=reason)
        error_tracking.capture_message("Chat messages not delivered", level="warning", reason=reason)
        for _ in left:
            track_event(member.user_id, "notification_not_received", {"channel": "chat", "reason": reason})


def _since(kept: Sequence[ChatMessage], after: str) -> Sequence[ChatMessage]:
    for place, message in enumerate(kept):
        if message.id == after:
            return kept[place + 1 :]
    return kept
