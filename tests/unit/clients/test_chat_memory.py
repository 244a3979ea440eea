"""What a worker remembers of its chats: once is once, for a time, and never more than so much."""

import pytest

from app.clients import chat_memory
from app.clients.chat_memory import ChatMemory, Reservation
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """At 100 seconds."""
    return Clock(100)


@pytest.fixture
def memory(clock: Clock) -> ChatMemory[str]:
    """Keeps 3 messages for 60 s, knows those that were taken for 30 s, reservations for 5 s."""
    return ChatMemory(3, keep_seconds=60, seen_seconds=30, busy_seconds=5, clock=clock)


def test_a_message_is_new_once(memory: ChatMemory[str]) -> None:
    """Then it is being delivered, then it was delivered."""
    assert memory.reserve("a") is Reservation.NEW
    assert memory.reserve("a") is Reservation.BUSY
    memory.settle("chat", "a", "text")
    assert memory.reserve("a") is Reservation.DONE


def test_a_reservation_whose_owner_died_ends_by_itself(memory: ChatMemory[str], clock: Clock) -> None:
    """After its time somebody else may deliver."""
    memory.reserve("a")
    clock.now += 4.9
    assert memory.reserve("a") is Reservation.BUSY
    clock.now += 0.2
    assert memory.reserve("a") is Reservation.NEW


def test_a_released_message_is_new_again(memory: ChatMemory[str]) -> None:
    """Another worker turned out to have it."""
    memory.reserve("a")
    memory.release("a")
    assert memory.reserve("a") is Reservation.NEW


def test_what_was_taken_is_forgotten_after_its_time(memory: ChatMemory[str], clock: Clock) -> None:
    """Not before."""
    memory.settle("chat", "a", "text")
    clock.now += 29
    assert memory.reserve("a") is Reservation.DONE
    clock.now += 2
    assert memory.reserve("a") is Reservation.NEW


def test_the_last_messages_are_kept_for_a_time(memory: ChatMemory[str], clock: Clock) -> None:
    """Three of each chat, sixty seconds long."""
    for name in "abcd":
        memory.settle("chat", name, name)
        clock.now += 10
    assert memory.kept("chat") == ["b", "c", "d"]
    clock.now += 42
    assert memory.kept("chat") == ["d"]
    assert memory.kept("another") == []


def test_memory_is_bounded(memory: ChatMemory[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest chats and the oldest ids go first."""
    monkeypatch.setattr(chat_memory, "MOST_CHATS", 2)
    monkeypatch.setattr(chat_memory, "MOST_SEEN", 2)
    for name in "abc":
        memory.settle(f"chat-{name}", name, name)
    assert [memory.kept(f"chat-{name}") for name in "abc"] == [[], ["b"], ["c"]]
    assert memory.reserve("b") is Reservation.DONE
    assert memory.reserve("a") is Reservation.NEW
