"""What people read: one message about one incident or several, plain and inert, with everything that a tired person needs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from app.oncall.links import Links
from app.oncall.resolve import ACKNOWLEDGED, PAGE, RESOLVED
from app.oncall.store import Row

MOST_LISTED: Final = 10
"""Incidents that a message names; the page has them all."""

LONGEST: Final = 1000

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
"""Control characters, escape sequences' beginnings, and marks that turn the direction of writing or hide text."""

_WORDS: Final = {PAGE: "FIRING", RESOLVED: "RESOLVED", ACKNOWLEDGED: "ACKNOWLEDGED"}


@dataclass(frozen=True, slots=True)
class Item:
    """One incident in a message; every text is inert."""

    incident_id: str
    episode: int
    name: str
    service: str
    env: str
    severity: str
    summary: str
    description: str
    firing: int
    opened_at: float
    ended_at: float | None
    acknowledged_by: str
    runbook: str
    dashboard: str
    page: str
    acknowledge: str

    @property
    def lasted(self) -> str:
        """How long it lasted, for people."""
        return duration((self.ended_at or self.opened_at) - self.opened_at)


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel sends."""

    kind: str
    items: tuple[Item, ...]
    total: int
    """Incidents that it is about; more than `items` when there are too many to list."""
    page: str
    person: str = ""
    dedup: str = field(default="")

    @property
    def subject(self) -> str:
        """One line."""
        word = _WORDS.get(self.kind, self.kind.upper())
        if self.total > 1:
            return f"[{word}] {self.total} incidents: {', '.join(sorted({item.name for item in self.items}))}"[:200]
        item = self.items[0]
        severity = f" {item.severity.upper()}" if self.kind == PAGE else ""
        where = f" on {item.service}" if item.service else ""
        return f"[{word}{severity}] {item.name}{where}: {item.summary}"[:200]

    @property
    def text(self) -> str:
        """The whole as plain text."""
        parts = ["\n".join(lines_of(item, self.kind)) for item in self.items]
        if self.total > len(self.items):
            parts.append(f"… and {self.total - len(self.items)} more.")
        return "\n\n".join([*parts, f"All incidents: {self.page}"])


def lines_of(item: Item, kind: str) -> list[str]:
    """One incident, a fact a line."""
    since = datetime.fromtimestamp(item.opened_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [f"{item.name} ({item.severity}) on {item.service or 'unknown service'}, {item.env or 'unknown environment'}", item.summary]
    if kind == PAGE:
        lines += [item.description, f"Since {since}, {item.firing} alert{'' if item.firing == 1 else 's'} firing."]
    elif kind == RESOLVED:
        lines.append(f"It is over. It began {since} and lasted {item.lasted}.")
    else:
        lines.append(f"{item.acknowledged_by or 'Somebody'} has taken it; nobody else is called.")
    if kind == PAGE:
        lines += [f"Acknowledge: {item.acknowledge}"]
    lines += [
        f"{name}: {link}" for name, link in (("Runbook", item.runbook), ("Dashboard", item.dashboard), ("Timeline", item.page)) if link
    ]
    return [line for line in lines if line]


def compose(kind: str, incidents: Sequence[Row], links: Links, person: str, contact: str) -> Message:
    """The message about these incidents for one contact."""
    worst_first = sorted(incidents, key=lambda row: (row["severity"] != "critical", row["opened_at"]))
    items = tuple(_item(row, links, person or contact.partition(":")[0]) for row in worst_first[:MOST_LISTED])
    return Message(kind, items, len(incidents), links.home, person, dedup=items[0].incident_id)


def inert(text: Any, longest: int = LONGEST) -> str:
    """A text from outside without anything that a terminal, a mail reader or a chat would act upon."""
    tame = _CONTROL.sub(" ", str(text)).strip()
    return tame if len(tame) <= longest else f"{tame[: longest - 1]}…"


def web_link(text: Any) -> str:
    """The address if it is one that a person may follow; nothing otherwise."""
    tame = str(text).strip()
    try:
        parts = urlsplit(tame)
    except ValueError:
        return ""
    fine = parts.scheme in ("http", "https") and parts.hostname and not re.search(r"[\s<>\"'`\x00-\x1f\\]", tame)
    return tame if fine and len(tame) < 2000 else ""


def duration(seconds: float) -> str:
    """45 s, 12 min, 3 h 5 min, 2 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def _item(row: Row, links: Links, who: str) -> Item:
    notes: dict[str, str] = row["annotations"]
    return Item(
        incident_id=row["id"],
        episode=row["episode"],
        name=inert(row["alertname"], 100),
        service=inert(row["service"], 100),
        env=inert(row["env"], 100),
        severity=inert(row["severity"], 20),
        summary=inert(notes.get("summary", ""), 300).replace("\n", " "),
        description=inert(notes.get("description", "")),
        firing=row["firing"],
        opened_at=row["opened_at"],
        ended_at=row["resolved_at"],
        acknowledged_by=inert(row["acknowledged_by"] or "", 100),
        runbook=web_link(notes.get("runbook_url", "")),
        dashboard=with_time(web_link(notes.get("dashboard_url", "")), row["opened_at"], row["resolved_at"]),
        page=links.incident(row["id"]),
        acknowledge=links.acknowledge(row["id"], row["episode"], who),
    )


def with_time(dashboard: str, start: float, end: float | None) -> str:
    """A dashboard's address with the time range of the incident: from ten minutes before to its end or now."""
    if not dashboard:
        return ""
    glue = "&" if "?" in dashboard else "?"
    until = str(round((end + 300) * 1000)) if end else "now"
    return f"{dashboard}{glue}from={round((start - 600) * 1000)}&to={until}"
