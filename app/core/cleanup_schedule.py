"""When the nightly cleanup is due."""

import datetime as dt
from zoneinfo import ZoneInfo


def latest_night(now: dt.datetime, at: str, zone: str) -> dt.date:
    """The last day on which the clock in `zone` has shown the time `at` (HH:MM) by `now`.

    A day has one night, so a run that remembers this date neither runs twice
    nor leaves a night out, whatever the clock does: where daylight saving skips
    the time, it counts as reached when the clock is past it.
    """
    local = now.astimezone(ZoneInfo(zone))
    hour, minute = map(int, at.split(":"))
    reached = (local.hour, local.minute) >= (hour, minute)
    return local.date() if reached else local.date() - dt.timedelta(days=1)
