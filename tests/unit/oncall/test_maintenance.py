"""Maintenance windows: what is worked on pages nobody until the end, and then only if it still fires."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.oncall.escalation import Escalator
from app.oncall.intake import Intake
from app.oncall.maintenance import maintained, windows_at
from app.oncall.policy import Policy, parse_policy
from app.oncall.watch import MISSING
from tests.unit.oncall.conftest import POLICY, Duty, alert

ZONE = ZoneInfo("Europe/Istanbul")
WEEKLY = {"reason": "deploy", "match": {"service": "app"}, "days": ["sun"], "start": "23:00", "end": "02:00", "timezone": "Europe/Istanbul"}
ONCE = {
    "reason": "move",
    "match": {"alertname": "PostgresDown"},
    "once_from": "2026-11-22T05:30:00",
    "once_until": "2026-11-22T07:00:00",
    "timezone": "Europe/Istanbul",
}


def policy(*windows: dict[str, Any]) -> Policy:
    """The usual one with these windows."""
    return parse_policy({**POLICY, "maintenance": list(windows)}, "test")


def at(day: int, hour: int, minute: int = 0) -> float:
    """A moment of November 2026 in Istanbul; the 22nd is a Sunday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE).timestamp()


@pytest.mark.parametrize(
    ("moment", "ends"),
    [(at(22, 22, 59), None), (at(22, 23), at(23, 2)), (at(23, 1, 59), at(23, 2)), (at(23, 2), None), (at(23, 23, 30), None)],
)
def test_a_weekly_window_belongs_to_the_day_of_its_beginning(moment: float, ends: float | None) -> None:
    """From Sunday 23:00 to Monday 02:00 by the clock on the wall, and not on Monday night."""
    assert [window.until for window in windows_at(policy(WEEKLY), moment)] == ([ends] if ends else [])


@pytest.mark.parametrize(("moment", "held"), [(at(22, 5, 29), False), (at(22, 5, 30), True), (at(22, 6, 59), True), (at(22, 7), False)])
def test_a_window_of_one_time_is_over_at_its_end(moment: float, held: bool) -> None:
    """By the clock of its zone."""
    assert bool(windows_at(policy(ONCE), moment)) is held


def test_only_what_matches_is_held_and_never_the_broken_chain() -> None:
    """Other alerts page; the watchdog's absence always does."""
    windows = policy(ONCE, {**WEEKLY, "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00", "end": "00:00"})
    told = {"alertname": "PostgresDown", "service": "postgres", "env": "e", "severity": "critical"}
    moment = at(22, 6)
    assert maintained(windows, told, moment) is not None
    assert maintained(windows, {**told, "alertname": "RedisDown"}, moment) is None
    assert maintained(windows, {**told, "service": "app"}, moment) is not None
    assert maintained(windows, {**told, "service": "app", "alertname": MISSING}, moment) is None


@pytest.mark.anyio
@pytest.mark.parametrize("over", [True, False])
async def test_a_page_waits_for_the_end_of_the_work(duty: Duty, over: bool) -> None:
    """Over by then: nobody hears of it. Firing still: paged at the end of the window; the timeline says why it waited."""
    chosen = policy(ONCE)
    intake, escalator = Intake(duty.store, chosen), Escalator(duty.store, chosen, duty.clock)

    async def tick(moment: float) -> None:
        duty.clock.now = moment
        await escalator.run_due()
        await duty.deliverer.run_due()

    await intake.take([alert("PostgresDown")], duty.clock())
    await tick(at(22, 6))
    assert duty.channels["email"].messages == []
    if over:
        await intake.take([alert("PostgresDown", firing=False)], duty.clock())
    await tick(at(22, 7, 1))
    assert len(duty.channels["email"].messages) == (0 if over else 1)
    assert [line["detail"] for line in (await duty.only())["timeline"] if line["what"] == "held back"] == ["maintenance: move"]
