"""MTTA and MTTR: counted from the right beginning, once for each answer and each end, and not for what was rolled back."""

import pytest

from app.core import metrics
from app.oncall.store import when_stored
from tests.support.asgi import sample
from tests.unit.oncall.conftest import START, Duty, alert

pytestmark = pytest.mark.anyio


def seen(name: str) -> tuple[float, float]:
    """How often, and how many seconds in all."""
    return (sample(f"{name}_count"), sample(f"{name}_sum"))


def since(name: str, before: tuple[float, float]) -> tuple[float, float]:
    """What was added."""
    now = seen(name)
    return (now[0] - before[0], round(now[1] - before[1], 3))


async def test_the_times_to_an_answer_and_to_an_end_are_those_of_the_incident(duty: Duty) -> None:
    """Told after 2 s, acknowledged after 120 s, over after 600 s; a second acknowledgement is no second answer."""
    names = ("oncall_notify_seconds", "oncall_acknowledge_seconds", "oncall_resolve_seconds")
    before = {name: seen(name) for name in names}
    await duty.take(alert())
    await duty.tick(2)
    duty.clock.forward(118)
    ident = (await duty.only())["id"]
    await duty.actions.acknowledge(ident, "can", "test")
    await duty.actions.acknowledge(ident, "ayse", "test")
    duty.clock.forward(480)
    await duty.take(alert(firing=False))
    await duty.take(alert(firing=False))
    assert [since(name, before[name]) for name in names] == [(1, 2.0), (1, 120.0), (1, 600.0)]


async def test_an_incident_that_is_opened_again_is_counted_from_there(duty: Duty) -> None:
    """Ten minutes, a pause of two, then one minute: 600 s and 60 s, and the second answer took 30 s, not 12 minutes."""
    ends, answers = seen("oncall_resolve_seconds"), seen("oncall_acknowledge_seconds")
    await duty.take(alert())
    duty.clock.forward(600)
    await duty.take(alert(firing=False))
    duty.clock.forward(120)
    await duty.take(alert(start=START + 700))
    duty.clock.forward(30)
    await duty.actions.acknowledge((await duty.only())["id"], "can", "test")
    duty.clock.forward(30)
    await duty.take(alert(start=START + 700, firing=False))
    assert (since("oncall_resolve_seconds", ends), since("oncall_acknowledge_seconds", answers)) == ((2, 660.0), (1, 30.0))


async def test_given_back_is_unanswered_from_then_on(duty: Duty) -> None:
    """An hour with somebody is no hour without an answer: neither the gauge that pages nor the histogram says so."""
    await duty.take(alert())
    ident = (await duty.only())["id"]
    await duty.actions.acknowledge(ident, "can", "test")
    duty.clock.forward(3600)
    await duty.actions.release(ident, "can")
    duty.clock.forward(60)
    await duty.overview.measure(duty.clock())
    assert sample("oncall_oldest_unacknowledged_seconds") == 60
    before = seen("oncall_acknowledge_seconds")
    await duty.actions.acknowledge(ident, "ayse", "test")
    assert since("oncall_acknowledge_seconds", before) == (1, 60.0)


async def test_what_is_rolled_back_is_not_counted(duty: Duty) -> None:
    """A transaction that fails has counted nothing; the next one over the same connection neither."""
    counter = metrics.counter("oncall_alerts_received_total")

    async def count(*, fails: bool) -> None:
        async with duty.store.transaction() as connection:
            when_stored(connection, counter.inc)
            if fails:
                raise RuntimeError("the database went away")

    before = sample("oncall_alerts_received_total")
    with pytest.raises(RuntimeError):
        await count(fails=True)
    assert sample("oncall_alerts_received_total") == before
    await count(fails=False)
    assert sample("oncall_alerts_received_total") == before + 1
