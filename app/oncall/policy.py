"""The escalation policy as people write it: who there is, who is on call when, who hears of what after how long.

Read from ONCALL_POLICY (YAML). Everything is checked when it is read, with the
place and a sentence that says what to do; a policy that loads, works.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from app.core.telemetry.metrics import ONCALL_CHANNELS

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class PolicyError(Exception):
    """The policy can't be used; the text says where and why."""


def seconds_of(text: Any) -> float:
    """Seconds of a duration such as 90s, 15m, 4h, 1d or 1w."""
    match = re.fullmatch(r"(\d+)([smhdw])", str(text).strip())
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is no duration: write a number with s, m, h, d or w, such as 15m")
    return float(int(match[1]) * _UNITS[match[2]])


def _zone(text: Any) -> str:
    try:
        return ZoneInfo(str(text)).key
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{text!r} is no time zone: write one such as Europe/Istanbul or UTC") from None


def _minutes(text: Any) -> int:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", str(text).strip())
    if match is None:
        raise ValueError(f'{text!r} is no time of day: write it in quotes, such as "22:00"')
    return int(match[1]) * 60 + int(match[2])


Duration = Annotated[float, BeforeValidator(seconds_of)]
Zone = Annotated[str, BeforeValidator(_zone)]
TimeOfDay = Annotated[int, BeforeValidator(_minutes)]
"""Minutes since midnight."""

Severity = Literal["critical", "warning", "info"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MaintenanceLabel = Literal["alertname", "service", "env", "severity"]
"""What an incident is known by."""

LONGEST_MAINTENANCE_SECONDS: Final = 7 * 86400.0


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(_Part):
    """Somebody who can be called, by the contacts in order of preference."""

    name: str = Field(min_length=1)
    contacts: list[str] = Field(min_length=1, description="channel:address, such as email:ayse@example.com")


class Override(_Part):
    """Somebody takes over for a while; the last one that fits wins."""

    person: str
    start: datetime
    end: datetime


class Rota(_Part):
    """People take turns, each for the same time."""

    people: list[str] = Field(min_length=1)
    start: datetime
    turn: Duration = 7 * 86400.0
    timezone: Zone = "UTC"
    overrides: list[Override] = []


class Level(_Part):
    """Who hears of it, and how long they have before the next level does."""

    notify: list[str] = Field(min_length=1, description="rota:name, person:name, or channel:address")
    wait: Duration = 900.0


class Escalation(_Part):
    """Levels one after the other; after the last the whole is repeated."""

    levels: list[Level] = Field(min_length=1)
    repeat: Duration = 4 * 3600.0
    """From the end of the last level's wait to the next round."""
    rounds: int = Field(6, ge=1, le=100)


class QuietHours(_Part):
    """Between these times pages of these severities wait until the end."""

    severities: list[Severity]
    start: TimeOfDay
    end: TimeOfDay
    timezone: Zone = "UTC"


class Maintenance(_Part):
    """A window in which pages about these labels wait until its end: every week on some days, or once."""

    reason: str = Field(min_length=1, max_length=200)
    match: dict[MaintenanceLabel, str] = Field(min_length=1)
    timezone: Zone = "UTC"
    days: list[Day] = []
    """Of its beginning; an end that is not after its start is on the day after."""
    start: TimeOfDay | None = None
    end: TimeOfDay | None = None
    once_from: datetime | None = None
    once_until: datetime | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        weekly = [bool(self.days), self.start is not None, self.end is not None]
        once = [self.once_from is not None, self.once_until is not None]
        if not (all(weekly) and not any(once)) and not (all(once) and not any(weekly)):
            raise ValueError("a maintenance window has days, start and end, or else once_from and once_until")
        if self.once_from is not None and self.once_until is not None:
            if (self.once_from.tzinfo is None) != (self.once_until.tzinfo is None):
                raise ValueError("once_from and once_until both have an offset from UTC, or neither has")
            length = (self.once_until - self.once_from).total_seconds()
            if not 0 < length <= LONGEST_MAINTENANCE_SECONDS:
                raise ValueError("once_until comes after once_from, by a week at most: what is muted for longer is forgotten")
        return self


class Route(_Part):
    """The escalation for incidents whose labels all match. The first fitting route counts."""

    match: dict[str, str] = {}
    escalation: str


class Policy(_Part):
    """All of it."""

    people: dict[str, Person] = {}
    rotas: dict[str, Rota] = {}
    escalations: dict[str, Escalation] = Field(min_length=1)
    routes: list[Route] = Field(min_length=1)
    quiet_hours: list[QuietHours] = []
    maintenance: list[Maintenance] = []

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, person in self.people.items():
            for contact in person.contacts:
                _check_contact(contact, f"people.{name}.contacts")
        for name, rota in self.rotas.items():
            self._check_rota(name, rota)
        for name, escalation in self.escalations.items():
            for target in (target for level in escalation.levels for target in level.notify):
                self._check_target(target, f"escalations.{name}")
        for route in self.routes:
            if route.escalation not in self.escalations:
                raise ValueError(f"a route names the escalation {route.escalation!r}, which there is not")
        if self.routes[-1].match:
            raise ValueError("the last route must have no match, so that no incident is without an escalation")
        return self

    def _check_rota(self, name: str, rota: Rota) -> None:
        for member in (*rota.people, *(override.person for override in rota.overrides)):
            if member not in self.people:
                raise ValueError(f"rotas.{name} names {member!r}, who is not among the people")
        if any(override.end <= override.start for override in rota.overrides):
            raise ValueError(f"rotas.{name} has an override that ends before it starts")

    def _check_target(self, target: str, place: str) -> None:
        kind, _, name = target.partition(":")
        if kind not in ("rota", "person"):
            _check_contact(target, place)
        elif name not in (self.rotas if kind == "rota" else self.people):
            raise ValueError(f"{place} notifies {target!r}, which there is not")


def _check_contact(contact: str, place: str) -> None:
    channel, colon, _ = contact.partition(":")
    if channel not in ONCALL_CHANNELS or not colon:
        raise ValueError(f"{place} has {contact!r}: write channel:address with one of {', '.join(ONCALL_CHANNELS)}")


def load_policy(path: Path) -> Policy:
    """Read and check a policy. Raises PolicyError with every problem, one a line."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"The on-call policy {path} can't be read: {error}. Set ONCALL_POLICY to a file that can.") from None
    except yaml.YAMLError as error:
        raise PolicyError(f"The on-call policy {path} is no YAML: {' '.join(str(error).split())}") from None
    return parse_policy(content, str(path))


def parse_policy(content: Any, source: str) -> Policy:
    """Check a policy that was read. Raises PolicyError."""
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        problems = [f"  {'.'.join(str(part) for part in item['loc']) or 'policy'}: {_plain(item['msg'])}" for item in error.errors()]
        raise PolicyError(f"The on-call policy {source} can't be used:\n" + "\n".join(problems)) from None


def default_policy(address: str, with_slack: bool) -> Policy:
    """The policy without a file: mail to ALERT_EMAIL_TO, and to Slack when a webhook is set; pages again after 15 minutes."""
    first = [f"email:{address}", *(["slack:"] if with_slack else [])]
    levels = [{"notify": first, "wait": "15m"}, {"notify": first, "wait": "15m"}]
    once = [{"notify": first, "wait": "1d"}]
    return parse_policy(
        {
            "escalations": {"page": {"levels": levels, "repeat": "4h"}, "ticket": {"levels": once, "rounds": 1}},
            "routes": [{"match": {"severity": "critical"}, "escalation": "page"}, {"escalation": "ticket"}],
        },
        "(built in)",
    )


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
