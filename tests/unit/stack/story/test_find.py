"""A user's words for a time, and what is made of them."""

import datetime as dt

import pytest

from app.stack.errors import StackError
from app.stack.story.find import Report, as_plain, parse_time, span_of
from app.stack.story.units import units_of
from tests.support.stories import request

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC).timestamp()


@pytest.mark.req("COR-17")
@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("14:47", "UTC", "2026-11-22T14:47:00+00:00"),
        ("2:47pm", "UTC", "2026-11-22T14:47:00+00:00"),
        ("2:47 PM", "UTC", "2026-11-22T14:47:00+00:00"),
        ("12:05am", "UTC", "2026-11-22T00:05:00+00:00"),
        ("14.47", "UTC", "2026-11-22T14:47:00+00:00"),
        ("14:47:31", "UTC", "2026-11-22T14:47:31+00:00"),
        ("17:47", "Europe/Istanbul", "2026-11-22T14:47:00+00:00"),
        ("16:00", "UTC", "2026-11-21T16:00:00+00:00"),
        ("2026-11-20T14:47", "UTC", "2026-11-20T14:47:00+00:00"),
        ("2026-11-20T14:47:00+03:00", "UTC", "2026-11-20T11:47:00+00:00"),
    ],
)
def test_a_time_is_understood_as_people_say_it(text: str, zone: str, expected: str) -> None:
    """A time of day is the last one that was; a zone or an offset is minded."""
    assert parse_time(text, zone, NOW) == dt.datetime.fromisoformat(expected).timestamp()


@pytest.mark.parametrize(
    ("text", "zone"),
    [("lunch", "UTC"), ("25:00", "UTC"), ("14:60", "UTC"), ("13:00pm", "UTC"), ("14:47", "Mars/Base"), ("14:47", "../etc")],
)
def test_what_is_no_time_is_refused_with_a_sentence(text: str, zone: str) -> None:
    """It says how to write one."""
    with pytest.raises(StackError, match=r"Write 14:47|Europe/Istanbul"):
        parse_time(text, zone, NOW)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"at": "14:47", "begin": "14:00"}, "either"), ({}, "Say when"), ({"begin": "14:50", "end": "14:40"}, "ends before it begins")],
)
def test_a_span_needs_one_way_to_be_said(options: dict[str, str], problem: str) -> None:
    """Not two, not none, not backwards."""
    with pytest.raises(StackError, match=problem):
        span_of(options.get("at", ""), options.get("begin", ""), options.get("end", ""), 5, "UTC", NOW)


def test_a_moment_has_minutes_to_both_sides() -> None:
    """And a span without an end ends now."""
    middle = dt.datetime(2026, 11, 22, 14, 47, tzinfo=dt.UTC).timestamp()
    assert span_of("14:47", "", "", 2, "UTC", NOW) == (middle - 120, middle + 120)
    assert span_of("", "14:47", "", 2, "UTC", NOW) == (middle, NOW)


def test_the_failure_next_to_the_time_is_the_likely_one() -> None:
    """Of several requests the worst, and among equals the one nearest to the middle, is what was meant."""
    records = [
        *request("fine", begin=60),
        *request("early", begin=10, status=500, outcome="failed"),
        *request("near", begin=62, status=500, outcome="failed"),
    ]
    units = units_of(sorted(records, key=lambda item: str(item["timestamp"])))
    begin = units[0].start - 10
    report = Report("42", begin, begin + 120, units, 3)
    assert as_plain(report)["likely"] == "near"
    assert as_plain(Report("42", begin, begin + 120, [unit for unit in units if unit.request_id == "fine"], 1))["likely"] is None
