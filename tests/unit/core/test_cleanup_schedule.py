"""Each night once, whatever the clock does."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cleanup_schedule import latest_night
from app.core.config import ConfigError, load_settings


def utc(text: str) -> dt.datetime:
    """A moment."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.req("RET-02")
@pytest.mark.parametrize(
    ("now", "zone", "night"),
    [
        ("2026-11-22T02:59:59", "UTC", "2026-11-21"),
        ("2026-11-22T03:00:00", "UTC", "2026-11-22"),
        ("2026-11-22T23:59:59", "UTC", "2026-11-22"),
        ("2026-11-22T00:00:00", "Europe/Istanbul", "2026-11-22"),
        ("2026-11-21T23:59:00", "Europe/Istanbul", "2026-11-21"),
        ("2026-03-29T00:59:00", "Europe/Berlin", "2026-03-28"),  # 01:59; the hour from 02:00 to 03:00 does not exist
        ("2026-03-29T01:00:00", "Europe/Berlin", "2026-03-29"),
    ],
)
def test_the_night_begins_at_its_hour_in_its_zone(now: str, zone: str, night: str) -> None:
    """Before 03:00 it is still the night before."""
    assert latest_night(utc(now), "03:00", zone).isoformat() == night


@pytest.mark.req("RET-02")
def test_an_hour_that_comes_twice_is_one_night() -> None:
    """In October 02:30 comes twice in Berlin; the second time is no new night."""
    first, second = (latest_night(utc(f"2026-10-25T{time}"), "02:30", "Europe/Berlin") for time in ("00:30:00", "01:30:00"))
    assert first == second == dt.date(2026, 10, 25)


@given(
    start=st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
    minutes=st.integers(0, 60 * 72),
    zone=st.sampled_from(["UTC", "Europe/Istanbul", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]),
    at=st.sampled_from(["00:00", "02:30", "03:00", "23:59"]),
)
def test_nights_pass_one_by_one(start: dt.datetime, minutes: int, zone: str, at: str) -> None:
    """As time passes the night never goes back by more than the repeated hour allows, and none is left out in a day's walk."""
    before = latest_night(start, at, zone)
    after = latest_night(start + dt.timedelta(minutes=minutes), at, zone)
    assert (after - before).days <= minutes / (60 * 24) + 2
    assert after >= before - dt.timedelta(days=1)
    if minutes >= 60 * 26:
        assert after > before


def test_a_wrong_hour_or_zone_stops_the_start() -> None:
    """One sentence that says what to write."""
    with pytest.raises(ConfigError, match="LOG_CLEANUP_AT"):
        load_settings(_env_file=None, log_cleanup_at="25:00")
    with pytest.raises(ConfigError, match="Europe/Istanbul"):
        load_settings(_env_file=None, log_cleanup_timezone="Mars/Olympus")
