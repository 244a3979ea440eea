"""Somebody answers: level after level, round after round, until an acknowledgement; and nothing after it."""

from typing import Any

import pytest

from app.oncall.actions import Actions, UnknownIncidentError
from app.oncall.channels.sender import RefusedError, TryAgainError
from app.oncall.delivery import CLAIM_SECONDS, MOST_ATTEMPTS, Deliverer
from app.oncall.escalation import Escalator
from app.oncall.intake import Intake
from app.oncall.machine import NotPossibleError
from app.oncall.overview import Overview
from app.oncall.policy import parse_policy
from tests.unit.oncall.conftest import POLICY, START, Duty, alert

pytestmark = pytest.mark.anyio

MINUTES = 60.0


def told(duty: Duty) -> dict[str, int]:
    """How many messages each address has."""
    counts: dict[str, int] = {}
    for name, channel in duty.channels.items():
        for address, _ in channel.messages:
            counts[f"{name}:{address}"] = counts.get(f"{name}:{address}", 0) + 1
    return counts


@pytest.mark.req("ALD-03")
async def test_without_an_answer_the_next_level_hears_of_it(duty: Duty) -> None:
    """The first level at once, the second after its 15 minutes, not before."""
    await duty.take(alert())
    await duty.tick()
    assert told(duty) == {"email:ayse@example.com": 1}
    await duty.tick(14 * MINUTES)
    assert told(duty) == {"email:ayse@example.com": 1}
    await duty.tick(1 * MINUTES)
    assert told(duty) == {"email:ayse@example.com": 1, "email:can@example.com": 1, "slack:": 1}


@pytest.mark.req("ALD-03")
async def test_after_the_last_level_everything_is_repeated_for_the_rounds_of_the_policy(duty: Duty) -> None:
    """Two rounds, four hours apart, and then nothing more; it stays open."""
    await duty.take(alert())
    for _ in range(60):
        await duty.tick(15 * MINUTES)
    assert told(duty) == {"email:ayse@example.com": 2, "email:can@example.com": 2, "slack:": 2}
    assert (await duty.only())["state"] == "notified"


@pytest.mark.req("ALD-03")
async def test_an_acknowledgement_ends_the_calls(duty: Duty) -> None:
    """Nobody else is paged; those who were hear who has it, the one who took it does not."""
    await duty.take(alert())
    await duty.tick()
    await duty.tick(15 * MINUTES)
    await duty.actions.acknowledge((await duty.only())["id"], "can", "test")
    for _ in range(20):
        await duty.tick(15 * MINUTES)
    assert told(duty) == {"email:ayse@example.com": 2, "email:can@example.com": 1, "slack:": 2}
    assert duty.channels["slack"].subjects[-1].startswith("[ACKNOWLEDGED]")


@pytest.mark.req("ALD-12")
async def test_everybody_who_was_paged_hears_the_end_and_how_long_it_lasted(duty: Duty) -> None:
    """One message each, and none to those who never heard of it."""
    await duty.take(alert())
    await duty.tick()
    duty.clock.forward(10 * MINUTES)
    await duty.take(alert(firing=False))
    await duty.tick()
    ((_, _), (_, over)) = duty.channels["email"].messages
    assert over.subject == "[RESOLVED] ApiDown on app: The API does not answer."
    assert "lasted 10 min" in over.text
    assert duty.channels["slack"].messages == []


async def test_what_is_over_before_it_was_told_is_never_told(duty: Duty) -> None:
    """A page that nobody has tried to send is withdrawn, and there is no end to announce."""
    await duty.take(alert())
    await duty.escalator.run_due()
    await duty.take(alert(firing=False))
    await duty.tick()
    assert told(duty) == {}


async def test_acknowledging_twice_names_the_first(duty: Duty) -> None:
    """The second person learns who has it; the timeline has both."""
    await duty.take(alert())
    ident = (await duty.only())["id"]
    assert await duty.actions.acknowledge(ident, "can", "link") == "can"
    assert await duty.actions.acknowledge(ident, "ayse", "link") == "can"
    assert [line["what"] for line in (await duty.only())["timeline"]] == ["opened", "acknowledged", "acknowledged again"]


async def test_what_is_over_or_unknown_can_not_be_acknowledged(duty: Duty) -> None:
    """Each with a sentence."""
    await duty.take(alert())
    await duty.take(alert(firing=False))
    with pytest.raises(NotPossibleError, match="resolved"):
        await duty.actions.acknowledge((await duty.only())["id"], "can", "link")
    with pytest.raises(UnknownIncidentError):
        await duty.actions.acknowledge("f" * 32, "can", "link")


async def test_an_old_link_does_not_acknowledge_a_new_episode(duty: Duty) -> None:
    """Yesterday's message must not silence today's page."""
    await duty.take(alert())
    await duty.take(alert(firing=False))
    await duty.take(alert(start=START + 5))
    incident = await duty.only()
    with pytest.raises(NotPossibleError, match="begun anew"):
        await duty.actions.acknowledge(incident["id"], "can", "link", episode=1)
    assert (await duty.only())["state"] == "firing"


async def test_giving_back_calls_again_and_handing_over_calls_nobody(duty: Duty) -> None:
    """A hand-over changes the holder only; a give-back starts the escalation."""
    await duty.take(alert())
    await duty.tick()
    ident = (await duty.only())["id"]
    await duty.actions.acknowledge(ident, "ayse", "page")
    await duty.actions.release(ident, "ayse", to="can")
    await duty.tick(MINUTES)
    assert ((await duty.only())["acknowledged_by"], told(duty)["email:ayse@example.com"]) == ("can", 1)
    await duty.actions.release(ident, "can")
    await duty.tick(MINUTES)
    assert told(duty)["email:ayse@example.com"] == 2


@pytest.mark.req("ALD-11")
async def test_a_contact_that_fails_hands_on_to_the_next_of_the_same_person(duty: Duty) -> None:
    """FAULTS 24: the mail server is down; the phone rings at the first failure, and the mail is tried again."""
    duty.channels["email"].failure = TryAgainError("not reachable")
    await duty.take(alert())
    await duty.tick()
    await duty.tick()
    assert told(duty) == {"ntfy:https://ntfy.example.com/ayse": 1}
    duty.channels["email"].failure = None
    await duty.tick(10)
    assert told(duty)["email:ayse@example.com"] == 1


@pytest.mark.req("ALD-11")
async def test_when_no_contact_works_the_next_level_hears_of_it_at_once(duty: Duty) -> None:
    """Refused for good by both: nobody waits 15 minutes."""
    duty.channels["email"].failure = duty.channels["ntfy"].failure = RefusedError("no")
    await duty.take(alert())
    for _ in range(3):
        await duty.tick(1)
    assert "slack:" in told(duty)


async def test_a_retry_waits_as_long_as_the_other_side_asks_and_ends(duty: Duty) -> None:
    """FAULTS 24: 429 with Retry-After 90; after five tries it counts as failed."""
    duty.channels["slack"].failure = TryAgainError("status 429", after=90)
    await duty.take(alert(severity="warning"))
    await duty.tick()
    await duty.tick(80)
    assert duty.channels["slack"].tries == 1
    await duty.tick(11)
    assert duty.channels["slack"].tries == 2
    for _ in range(10):
        await duty.tick(600)
    assert duty.channels["slack"].tries == MOST_ATTEMPTS
    assert (await duty.only())["messages"][0]["state"] == "failed"


async def test_a_process_that_dies_between_claim_and_sending_loses_no_page(duty: Duty) -> None:
    """FAULTS 24: the claim runs out and another replica sends; not before, so that no page comes twice."""
    await duty.take(alert())
    await duty.escalator.run_due()
    await duty.deliverer._claim()  # and then it dies
    other = Deliverer(duty.store, duty.channels, duty.links, duty.clock)
    await other.run_due()
    assert told(duty) == {}
    duty.clock.forward(CLAIM_SECONDS + 1)
    await other.run_due()
    assert told(duty) == {"email:ayse@example.com": 1}


async def test_a_restart_forgets_no_timer(duty: Duty) -> None:
    """A new process over the same database goes on where the old one was."""
    await duty.take(alert())
    await duty.tick()
    again = Escalator(duty.store, duty.policy, duty.clock)
    duty.clock.forward(15 * MINUTES)
    assert await again.run_due() == 1
    await duty.deliverer.run_due()
    assert told(duty)["email:can@example.com"] == 1


async def test_planning_the_same_step_twice_makes_one_message(duty: Duty) -> None:
    """Two replicas that both think it is their turn write the same message under the same name."""
    await duty.take(alert())
    incident = await duty.only()
    async with duty.store.transaction() as connection:
        for _ in range(2):
            await duty.escalator._step(connection, incident_row(incident), duty.clock())
    assert len((await duty.only())["messages"]) == 1


def incident_row(incident: dict[str, Any]) -> Any:
    """What the escalation reads of an incident."""
    return {**incident, "escalation": "page", "step": 0}


async def test_quiet_hours_hold_a_ticket_until_morning_and_never_a_page(oncall_settings: object, duty: Duty) -> None:
    """At three in the morning: the warning waits until eight, the critical one goes at once."""
    hours = [{"severities": ["warning"], "start": "22:00", "end": "08:00", "timezone": "UTC"}]
    policy = parse_policy({**POLICY, "quiet_hours": hours}, "test")
    escalator, intake = Escalator(duty.store, policy, duty.clock), Intake(duty.store, policy)
    await intake.take([alert("Slow", severity="warning"), alert("Down")], duty.clock())
    await escalator.run_due()
    await duty.deliverer.run_due()
    assert told(duty) == {"email:ayse@example.com": 1}
    duty.clock.forward(5 * 3600)
    await escalator.run_due()
    await duty.deliverer.run_due()
    assert told(duty)["slack:"] == 1


async def test_messages_to_one_contact_that_pile_up_become_one(duty: Duty) -> None:
    """The second and third incident come within the gap after the first message: one digest."""
    await duty.take(alert("First"))
    await duty.tick()
    await duty.take(alert("Second"))
    await duty.tick(1)
    await duty.take(alert("Third"))
    await duty.tick(5)
    assert [message.total for _, message in duty.channels["email"].messages] == [1, 2]


async def test_the_overview_hides_addresses(duty: Duty) -> None:
    """Contacts may be secret; messages show channel and person."""
    await duty.take(alert())
    await duty.tick()
    shown = str(await Overview(duty.store, duty.policy).incident((await duty.only())["id"][:8]))
    assert "example.com/ayse" not in shown
    assert "ayse@" not in shown
    assert isinstance(duty.actions, Actions)


@pytest.mark.parametrize("how", ["given back", "worse"])
async def test_who_was_paged_before_a_new_episode_hears_the_end(duty: Duty, how: str) -> None:
    """Given back, or got worse, and over before the next page goes out: whoever was paged first is not left waiting; told once."""
    await duty.take(alert(severity="warning" if how == "worse" else "critical"))
    await duty.tick()
    paged = {channel: len(taken.messages) for channel, taken in duty.channels.items() if taken.messages}
    assert paged
    if how == "worse":
        await duty.take(alert(severity="critical", instance="b"))
        await duty.take(alert(severity="critical", instance="b", firing=False))
        await duty.take(alert(severity="warning", firing=False))
    else:
        ident = (await duty.only())["id"]
        await duty.actions.acknowledge(ident, "can", "page")
        await duty.actions.release(ident, "can")
        await duty.take(alert(firing=False))
    for _ in range(3):
        await duty.tick(300)
    assert (await duty.only())["state"] == "resolved"
    ends = [message for message in (await duty.only())["messages"] if message["kind"] == "resolved"]
    assert ends
    assert len({message["channel"] for message in ends}) == len(ends) == len(paged)
