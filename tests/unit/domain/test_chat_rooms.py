"""Who gets a message, once, and how much may be on its way to a reader."""

import asyncio

from app.clients.chat_store import ChatMessage
from app.domain.chat_rooms import Member, Rooms
from app.domain.rate import Allowance


def message(number: int, chat_id: str = "chat") -> ChatMessage:
    """A message of a chat."""
    return ChatMessage(f"m{number}", chat_id, "7", "text", 0.0)


def test_a_message_goes_to_the_others_of_its_chat_only() -> None:
    """Not to the connection that it came from, not to another chat, not to who left."""
    rooms = Rooms()
    one, two, gone = (Member("chat", "7", 5) for _ in range(3))
    other = Member("elsewhere", "7", 5)
    for member in (one, two, gone, other):
        rooms.join(member)
    rooms.leave(gone)
    rooms.leave(gone)
    rooms.deliver(message(1), but=one)
    assert [len(member.left()) for member in (one, two, gone, other)] == [0, 1, 0, 0]


def test_a_message_that_comes_twice_is_sent_once() -> None:
    """From the past and from another worker at the same time, for instance."""

    async def work() -> None:
        member = Member("chat", "7", 5)
        member.offer(message(1))
        member.offer(message(1))
        assert (await member.next()).id == "m1"
        member.offer(message(1))
        assert member.left() == [message(1)]

    asyncio.run(work())


def test_what_is_unread_and_unconfirmed_is_bounded_together() -> None:
    """Confirming makes room; one message too many marks the reader as too slow and is not queued."""

    async def work() -> None:
        member = Member("chat", "7", 2)
        member.offer(message(1))
        await member.next()
        member.offer(message(2))
        assert not member.too_slow.is_set()
        assert member.confirm("m1") == message(1)
        assert member.confirm("m1") is None
        member.offer(message(3))
        assert not member.too_slow.is_set()
        member.offer(message(4))
        assert member.too_slow.is_set()
        assert [left.id for left in member.left()] == ["m2", "m3"]

    asyncio.run(work())


def test_next_waits_for_a_message() -> None:
    """And has it as soon as it is offered."""

    async def work() -> None:
        member = Member("chat", "7", 2)
        waiting = asyncio.create_task(member.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        member.offer(message(1))
        assert await asyncio.wait_for(waiting, 1) == message(1)

    asyncio.run(work())


def test_an_allowance_gives_a_burst_and_then_the_rate() -> None:
    """Twice the rate at once, then one for each interval; it doesn't grow beyond the burst while nobody takes."""
    allowance = Allowance(2.0)
    assert [allowance.take(0.0) for _ in range(5)] == [True, True, True, True, False]
    assert not allowance.take(0.4)
    assert allowance.take(0.5)
    assert [allowance.take(1000.0) for _ in range(5)] == [True, True, True, True, False]


def test_a_rate_below_one_still_gives_one() -> None:
    """A limit of one message in a hundred seconds lets the first one through."""
    allowance = Allowance(0.01)
    assert allowance.take(0.0)
    assert not allowance.take(99.0)
    assert allowance.take(100.5)
