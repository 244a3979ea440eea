"""When the authority is asked: in time, and after failures ever more seldom."""

from datetime import UTC, datetime, timedelta

import pytest

from app.stack.acme.schedule import after_failure, renewal_of
from app.stack.acme.shelf import Held, Trouble

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = ("watch.example.org", "grafana.watch.example.org")


def _held(days: float, *names: str, self_signed: bool = False) -> Held:
    return Held(frozenset(names or NAMES), "An authority", self_signed, BEGIN, BEGIN + timedelta(days=days))


@pytest.mark.parametrize(("days", "left"), [(90, 30), (45, 15), (6, 2), (397, 30), (1 / 24, 1 / 72)])
def test_a_third_of_the_life_is_left_and_thirty_days_at_most(days: float, left: float) -> None:
    """Ninety days are Let's Encrypt's; shorter lives are announced; private authorities give a year."""
    assert renewal_of(_held(days), NAMES) == BEGIN + timedelta(days=days) - timedelta(days=left)


@pytest.mark.parametrize("held", [_held(90, self_signed=True), _held(90, NAMES[0])])
def test_a_certificate_that_no_browser_takes_is_due_at_once(held: Held) -> None:
    """One of our own, and one that lacks a name."""
    assert renewal_of(held, NAMES) < datetime(2000, 1, 1, tzinfo=UTC)


def test_a_name_too_many_is_no_reason_to_ask() -> None:
    """A page that was taken out of the table needs no other certificate."""
    assert renewal_of(_held(90), NAMES[:1]) > BEGIN


def test_pauses_grow_from_an_hour_to_a_day() -> None:
    """Five failures in an hour are what Let's Encrypt forgives; ours are never more than one, however long it goes on."""
    trouble, pauses = Trouble("target"), []
    for _ in range(2000):
        trouble = after_failure(trouble, "no", 1000.0)
        pauses.append((trouble.next_try - 1000.0) / 3600)
    assert pauses[:6] == [1, 2, 4, 8, 16, 24]
    assert set(pauses[6:]) == {24}
    assert (trouble.failures, trouble.target, trouble.sentence) == (2000, "target", "no")
