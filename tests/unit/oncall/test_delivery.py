"""A slow server delays nobody else, and who has lost a claim changes nothing any more."""

import asyncio

import pytest

from app.oncall.channels.sender import RefusedError, TryAgainError
from app.oncall.delivery import CLAIM_SECONDS, Deliverer
from app.oncall.messages import Message
from tests.unit.oncall.conftest import Duty, Taken, alert

pytestmark = pytest.mark.anyio


class Slow(Taken):
    """Takes a message when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()

    async def send(self, address: str, message: Message) -> None:
        """Wait, then do what any channel does."""
        self.begun.set()
        await self.go_on.wait()
        await super().send(address, message)


@pytest.mark.req("ALD-11")
async def test_a_server_that_never_answers_holds_up_no_other_message(duty: Duty) -> None:
    """The mail hangs; a ticket that comes later is in Slack long before; the hanging contact gets nothing twice."""
    slow, quick = Slow(), Slow()
    quick.go_on.set()
    deliverer = Deliverer(duty.store, {**duty.channels, "email": slow, "slack": quick}, duty.links, duty.clock)
    await duty.take(alert())
    await duty.escalator.run_due()
    assert await deliverer.start_due() == 1
    await slow.begun.wait()
    await duty.take(alert("Later", severity="warning"))
    await duty.escalator.run_due()
    assert await deliverer.start_due() == 1
    async with asyncio.timeout(10):
        await quick.begun.wait()
    duty.clock.forward(CLAIM_SECONDS + 1)
    assert await deliverer.start_due() == 0, "what is on its way here is not claimed again by ourselves"
    slow.go_on.set()
    await deliverer.finish()
    assert (len(slow.messages), len(quick.messages)) == (1, 1)


async def test_who_lost_its_claim_does_not_undo_what_the_other_did(duty: Duty) -> None:
    """A frozen replica wakes up after its claim ran out, and fails; the page that the other one sent stays sent."""
    slow = Slow()
    slow.failure = TryAgainError("too late")
    frozen = Deliverer(duty.store, {**duty.channels, "email": slow}, duty.links, duty.clock)
    await duty.take(alert())
    await duty.escalator.run_due()
    await frozen.start_due()
    await slow.begun.wait()
    duty.clock.forward(CLAIM_SECONDS + 1)
    await duty.deliverer.run_due()
    assert len(duty.channels["email"].messages) == 1
    slow.go_on.set()
    await frozen.finish()
    duty.clock.forward(600)
    await duty.deliverer.run_due()
    assert len(duty.channels["email"].messages) == 1
    assert [message["state"] for message in (await duty.only())["messages"]] == ["sent"]


async def test_the_next_contact_is_no_page_of_the_next_level(duty: Duty) -> None:
    """Mail fails, so the phone rings for level one; when level two reaches the same phone it rings again."""
    chosen = duty.policy.escalations["page"].levels[1]
    object.__setattr__(chosen, "notify", ["ntfy:https://ntfy.example.com/ayse"])
    duty.channels["email"].failure = RefusedError("no such address")
    await duty.take(alert())
    await duty.tick()
    await duty.tick()
    assert len(duty.channels["ntfy"].messages) == 1
    await duty.tick(900)
    await duty.tick(10)
    assert len(duty.channels["ntfy"].messages) == 2
