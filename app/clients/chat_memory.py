"""What a worker remembers of its chats by itself: bounded in number and in time."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, TypeVar

MOST_CHATS: Final = 1000
"""Chats whose last messages are remembered; of more, those go that were silent longest."""

MOST_SEEN: Final = 50_000
"""Messages that are remembered as taken; of more, the oldest go."""

Item = TypeVar("Item")


class Reservation(Enum):
    """What is known about a message that arrives."""

    NEW = "new"
    """Nobody had it; whoever asked delivers it."""
    BUSY = "busy"
    """Somebody is delivering it right now, or died doing so."""
    DONE = "done"
    """It was delivered before."""


class ChatMemory(Generic[Item]):
    """Which messages were taken, and the last ones of each chat. Times are in seconds."""

    def __init__(
        self, kept: int, keep_seconds: float, seen_seconds: float, busy_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept: Final = kept
        self._keep_seconds: Final = keep_seconds
        self._seconds: Final = {Reservation.DONE: seen_seconds, Reservation.BUSY: busy_seconds}
        self._clock: Final = clock
        self._chats: OrderedDict[str, deque[tuple[float, Item]]] = OrderedDict()
        self._seen: OrderedDict[str, tuple[Reservation, float]] = OrderedDict()

    def reserve(self, message_id: str) -> Reservation:
        """What is known about a message; a new one is busy from now on."""
        state, since = self._seen.get(message_id, (Reservation.NEW, 0.0))
        if state is not Reservation.NEW and self._clock() - since < self._seconds[state]:
            return state
        self._note(message_id, Reservation.BUSY)
        return Reservation.NEW

    def release(self, message_id: str) -> None:
        """Forget a reservation: somebody else has the message."""
        self._seen.pop(message_id, None)

    def settle(self, chat_id: str, message_id: str, item: Item) -> None:
        """The message is delivered: it is kept, and never new again while it is remembered."""
        self._note(message_id, Reservation.DONE)
        self._chats.setdefault(chat_id, deque(maxlen=self._kept)).append((self._clock(), item))
        self._chats.move_to_end(chat_id)
        if len(self._chats) > MOST_CHATS:
            self._chats.popitem(last=False)

    def kept(self, chat_id: str) -> list[Item]:
        """The last messages of a chat, oldest first."""
        limit = self._clock() - self._keep_seconds
        return [item for when, item in self._chats.get(chat_id, ()) if when > limit]

    def _note(self, message_id: str, state: Reservation) -> None:
        self._seen[message_id] = (state, self._clock())
        self._seen.move_to_end(message_id)
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
