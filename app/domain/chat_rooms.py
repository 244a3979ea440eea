"""Who reads along in which chat, within this worker, and what is on the way to each of them."""

import asyncio
from collections import deque
from typing import Final

from app.clients.chat_store import ChatMessage


class Member:
    """One connection in a chat. What it hasn't read or confirmed is bounded: beyond that it is too slow."""

    def __init__(self, chat_id: str, user_id: str, limit: int) -> None:
        self.chat_id: Final = chat_id
        self.user_id: Final = user_id
        self.too_slow: Final = asyncio.Event()
        self._limit: Final = limit
        self._waiting: deque[ChatMessage] = deque()
        self._unconfirmed: dict[str, ChatMessage] = {}
        self._some: Final = asyncio.Event()

    def offer(self, message: ChatMessage) -> None:
        """Put a message on its way. One message too many marks the reader as too slow; it can have the rest when it comes back."""
        if message.id in self._unconfirmed or any(message.id == other.id for other in self._waiting):
            return
        if len(self._waiting) + len(self._unconfirmed) >= self._limit:
            self.too_slow.set()
            return
        self._waiting.append(message)
        self._some.set()

    async def next(self) -> ChatMessage:
        """The next message to be sent; from now on it awaits confirmation."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        message = self._waiting.popleft()
        self._unconfirmed[message.id] = message
        return message

    def confirm(self, message_id: str) -> ChatMessage | None:
        """The reader has it. None when it was not expecting that."""
        return self._unconfirmed.pop(message_id, None)

    def left(self) -> list[ChatMessage]:
        """What was on its way and never confirmed."""
        return [*self._unconfirmed.values(), *self._waiting]


class Rooms:
    """The chats that somebody reads in this worker. Empty ones are forgotten."""

    def __init__(self) -> None:
        self._members: dict[str, set[Member]] = {}

    def join(self, member: Member) -> None:
        """Read along from now on."""
        self._members.setdefault(member.chat_id, set()).add(member)

    def leave(self, member: Member) -> None:
        """Read along no longer. Again is no error."""
        members = self._members.get(member.chat_id, set())
        members.discard(member)
        if not members:
            self._members.pop(member.chat_id, None)

    def deliver(self, message: ChatMessage, but: Member | None = None) -> None:
        """Offer a message to everybody in its chat, without the connection that it came from."""
        for member in self._members.get(message.chat_id, ()):
            if member is not but:
                member.offer(message)
