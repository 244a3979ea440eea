"""Who is on call at a moment, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.oncall.policy import Level, Policy, QuietHours, Rota

_DAY_MINUTES: Final = 1440


@dataclass(frozen=True, slots=True)
class Duty:
    """A turn: who has it, and when it ends (seconds since the epoch)."""

    person: str
    until: float


@dataclass(frozen=True, slots=True)
class Target:
    """One way to reach somebody: `contact` is channel:address; `person` is empty for a bare contact."""

    contact: str
    person: str = ""
    others: tuple[str, ...] = ()
    """The person's further contacts, for when this one fails."""


def on_duty(rota: Rota, at: float) -> Duty:
    """Whose turn it is. Turns are counted in local time, so that a hand-over at nine stays at nine across summer time.

    Before the rota's start the first person has the duty already.
    """
    zone = ZoneInfo(rota.timezone)
    moment = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
    start = _local(rota.start, zone)
    turn = timedelta(seconds=rota.turn)
    number = max(0, (moment - start) // turn)
    until = (start + (number + 1) * turn).replace(tzinfo=zone).timestamp()
    person = rota.people[number % len(rota.people)]
    for override in rota.overrides:
        begin, end = (_local(limit, zone).replace(tzinfo=zone).timestamp() for limit in (override.start, override.end))
        if begin <= at < end:
            person, until = override.person, end
        elif at < begin < until:
            until = begin
    return Duty(person, until)


def targets(policy: Policy, level: Level, at: float) -> list[Target]:
    """Everybody whom a level reaches now, each once."""
    found: dict[str, Target] = {}
    for entry in level.notify:
        kind, _, name = entry.partition(":")
        if kind == "rota":
            kind, name = "person", on_duty(policy.rotas[name], at).person
        if kind == "person":
            first, *others = policy.people[name].contacts
            found.setdefault(first, Target(first, name, tuple(others)))
        else:
            found.setdefault(entry, Target(entry))
    return list(found.values())


def quiet_until(policy: Policy, severity: str, at: float) -> float | None:
    """When the quiet hours end that hold back a page of this severity now; None when it may go."""
    ends = [end for hours in policy.quiet_hours if severity in hours.severities and (end := _end_of(hours, at)) is not None]
    return max(ends, default=None)


def _end_of(hours: QuietHours, at: float) -> float | None:
    zone = ZoneInfo(hours.timezone)
    moment = datetime.fromtimestamp(at, zone)
    minute = moment.hour * 60 + moment.minute
    length = (hours.end - hours.start) % _DAY_MINUTES
    passed = (minute - hours.start) % _DAY_MINUTES
    if passed >= length:
        return None
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    end = midnight + timedelta(minutes=hours.end, days=1 if minute >= hours.start and hours.end <= hours.start else 0)
    return end.replace(tzinfo=zone).timestamp()


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """A moment of the policy on the rota's own clock; without an offset it is meant so."""
    return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment
