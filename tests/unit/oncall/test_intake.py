"""Alerts become incidents: once each, whatever the order and however often they are told."""

import asyncio

import pytest

from app.oncall.intake import REOPEN_SECONDS
from app.oncall.watch import SETTLE_SECONDS
from tests.unit.oncall.conftest import START, Duty, alert

pytestmark = pytest.mark.anyio


async def test_the_same_webhook_twenty_times_at_once_is_one_incident(duty: Duty) -> None:
    """FAULTS 23: one incident with one alert, and one page."""
    await asyncio.gather(*(duty.take(alert()) for _ in range(20)))
    await duty.tick()
    incident = await duty.only()
    assert (incident["state"], len(incident["alerts"]), len(incident["messages"])) == ("notified", 1, 1)


async def test_an_end_that_is_told_before_the_beginning_is_one_incident_and_no_page(duty: Duty) -> None:
    """FAULTS 23: out of order, the late `firing` of the same start is old news."""
    await duty.take(alert(firing=False))
    await duty.take(alert())
    await duty.tick()
    incident = await duty.only()
    assert incident["state"] == "resolved"
    assert duty.channels["email"].messages == []


async def test_alerts_of_one_group_are_one_incident_that_ends_with_the_last(duty: Duty) -> None:
    """Two instances fire, one recovers: still open; the other recovers: over."""
    await duty.take(alert(instance="a"), alert(instance="b"))
    await duty.take(alert(instance="a", firing=False))
    assert (await duty.only())["firing"] == 1
    await duty.take(alert(instance="b", firing=False))
    assert (await duty.only())["state"] == "resolved"


async def test_other_services_and_environments_are_other_incidents(duty: Duty) -> None:
    """The group is name, service and environment."""
    await duty.take(alert(), alert(service="voice"), alert(env="staging"))
    assert len(await duty.overview.incidents(open_only=True)) == 3


async def test_an_alert_that_comes_back_soon_opens_its_incident_again(duty: Duty) -> None:
    """The escalation begins anew, and the timeline keeps the first episode."""
    await duty.take(alert())
    await duty.tick()
    await duty.take(alert(firing=False))
    duty.clock.forward(REOPEN_SECONDS / 2)
    await duty.take(alert(start=START + 100))
    await duty.tick()
    incident = await duty.only()
    assert (incident["state"], incident["episode"]) == ("notified", 2)
    assert [line["what"] for line in incident["timeline"]].count("paging") == 2


async def test_an_alert_that_comes_back_late_is_a_new_incident(duty: Duty) -> None:
    """What was over for longer than the window stays over."""
    await duty.take(alert())
    await duty.take(alert(firing=False))
    duty.clock.forward(REOPEN_SECONDS + 1)
    await duty.take(alert(start=START + 1000))
    assert [found["state"] for found in await duty.overview.incidents(open_only=False)] == ["firing", "resolved"]


async def test_getting_worse_pages_again_although_somebody_had_it(duty: Duty) -> None:
    """A warning was acknowledged; the critical alert of the same name calls again, by the escalation for pages."""
    await duty.take(alert("DiskHigh", severity="warning"))
    await duty.actions.acknowledge((await duty.only())["id"], "can", "test")
    await duty.take(alert("DiskHigh", severity="critical", start=START + 60))
    await duty.tick()
    incident = await duty.only()
    assert (incident["severity"], incident["state"], incident["acknowledged_by"]) == ("critical", "notified", None)
    assert duty.channels["email"].subjects == ["[FIRING CRITICAL] DiskHigh on app: The API does not answer."]


async def test_an_alert_that_starts_again_ends_its_earlier_start(duty: Duty) -> None:
    """Alertmanager tells nothing of an end when the next start comes before its next message; the incident must still end."""
    await duty.take(alert())
    await duty.take(alert(start=START + 30))
    assert (await duty.only())["firing"] == 1
    await duty.take(alert())
    assert (await duty.only())["firing"] == 1, "the earlier start is old news"
    await duty.take(alert(start=START + 30, firing=False))
    assert (await duty.only())["state"] == "resolved"


async def test_another_alert_of_an_acknowledged_incident_calls_nobody(duty: Duty) -> None:
    """Who has it sees it on the page; nobody is woken for a second instance."""
    await duty.take(alert(instance="a"))
    await duty.actions.acknowledge((await duty.only())["id"], "can", "test")
    await duty.take(alert(instance="b"))
    await duty.tick(3600)
    assert (await duty.only())["firing"] == 2
    assert duty.channels["email"].messages == []


async def test_expiry_while_prometheus_is_away_is_no_recovery(duty: Duty) -> None:
    """FAULTS 26: the incident stays open and nobody hears of an end; when Prometheus has been back for long it ends."""
    await duty.take(alert())
    await duty.tick()
    await duty.take(alert(firing=False), sure=False)
    await duty.tick(10)
    assert (await duty.only())["state"] == "notified"
    assert duty.channels["email"].subjects == ["[FIRING CRITICAL] ApiDown on app: The API does not answer."]
    duty.clock.forward(SETTLE_SECONDS)
    assert await duty.intake.settle(duty.clock()) == 1
    await duty.tick(10)
    assert (await duty.only())["state"] == "resolved"
    assert duty.channels["email"].subjects[-1].startswith("[RESOLVED]")


async def test_an_alert_that_is_seen_again_after_prometheus_came_back_goes_on(duty: Duty) -> None:
    """The same alert fires on: settling does not end it."""
    await duty.take(alert())
    await duty.take(alert(firing=False), sure=False)
    await duty.take(alert())
    await duty.intake.settle(duty.clock())
    assert (await duty.only())["state"] == "firing"


async def test_five_thousand_alerts_are_all_kept_and_told_in_few_messages(duty: Duty) -> None:
    """A storm over 500 incidents: each alert is in the store, each contact gets a digest instead of 500 messages."""
    storm = [alert(f"Storm{number % 500:03d}", instance=str(number), severity="critical") for number in range(5000)]
    assert await duty.take(*storm) == 5000
    await duty.tick()
    kept = await duty.overview.incidents(open_only=True, limit=1000)
    assert (len(kept), sum(found["firing"] for found in kept)) == (500, 5000)
    (only,) = duty.channels["email"].messages
    assert only[1].total == 500
    assert len(only[1].items) == 10
