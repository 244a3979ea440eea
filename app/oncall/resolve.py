"""What ends an episode: nobody is told of a page that has become pointless, and everybody who was paged hears the end."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import metrics
from app.core.logger import get_logger
from app.oncall.machine import move
from app.oncall.payload import digest
from app.oncall.store import Row, Store, note, rows, when_stored
from app.oncall.tables import INCIDENTS, NOTIFICATIONS

PAGE: Final = "page"
RESOLVED: Final = "resolved"
ACKNOWLEDGED: Final = "acknowledged"

log = get_logger(__name__)


def notification_id(incident: Row, step: int, contact: str, kind: str) -> str:
    """Names one message: the same page to the same contact has the same name, whoever plans it and however often."""
    return f"{incident['id']}:{incident['episode']}:{step}:{digest(contact)[:12]}:{kind}"


def step_of(notification: Row) -> int:
    """The step of the escalation that planned a message."""
    return int(notification["id"].split(":")[2])


async def cancel_and_announce(connection: AsyncConnection, store: Store, incident: Row, now: float) -> dict[str, Any]:
    """Withdraw what is not sent yet and tell those who were paged that it is over; returns the incident's new columns."""
    await withdraw(connection, incident, now)
    await announce(connection, store, incident, RESOLVED, now)
    await note(connection, incident["id"], now, "resolved")
    lasted = max(0.0, now - incident["began_at"])

    def tell() -> None:
        metrics.histogram("oncall_resolve_seconds").observe(lasted)
        log.info(
            "An incident is over",
            event="oncall.resolved",
            incident_id=incident["id"],
            alert_name=incident["alertname"],
            duration_ms=round(lasted * 1000),
        )

    when_stored(connection, tell)
    return {"state": move(incident["state"], "resolve"), "open_key": None, "next_at": None, "resolved_at": now}


async def withdraw(connection: AsyncConnection, incident: Row, now: float) -> None:
    """Pages that nobody has tried to send yet are not sent any more. One that is on its way may still arrive."""
    waiting = sa.update(NOTIFICATIONS).where(
        NOTIFICATIONS.c.incident_id == incident["id"],
        NOTIFICATIONS.c.kind == PAGE,
        NOTIFICATIONS.c.state == "pending",
        sa.or_(NOTIFICATIONS.c.attempts == 0, NOTIFICATIONS.c.due_at <= now),
    )
    await connection.execute(waiting.values(state="withdrawn"))


async def announce(connection: AsyncConnection, store: Store, incident: Row, kind: str, now: float, but: str = "") -> None:
    """A message to every contact that was paged, each once; `but` is a person who knows already.

    An acknowledgement is about this episode. The end is about all since the last end: whoever was paged before the incident
    was given back or got worse is still waiting to hear of it.
    """
    since = incident["episode"]
    if kind == RESOLVED:
        ends = sa.select(sa.func.max(NOTIFICATIONS.c.episode)).where(
            NOTIFICATIONS.c.incident_id == incident["id"], NOTIFICATIONS.c.kind == RESOLVED
        )
        since = ((await connection.execute(ends)).scalar_one() or 0) + 1
    paged = sa.select(NOTIFICATIONS.c.contact, NOTIFICATIONS.c.person).where(
        NOTIFICATIONS.c.incident_id == incident["id"],
        NOTIFICATIONS.c.episode >= since,
        NOTIFICATIONS.c.kind == PAGE,
        NOTIFICATIONS.c.state.in_(("sent", "pending")),
    )
    told = {row["contact"]: row["person"] for row in await rows(connection, paged) if not but or row["person"] != but}
    entries = [planned(incident, 0, contact, person, kind, now) for contact, person in told.items()]
    if entries:
        await connection.execute(store.insert_new(NOTIFICATIONS), entries)


def planned(incident: Row, step: int, contact: str, person: str, kind: str, now: float, others: tuple[str, ...] = ()) -> dict[str, Any]:
    """A message that waits to be sent."""
    return {
        "id": notification_id(incident, step, contact, kind),
        "incident_id": incident["id"],
        "episode": incident["episode"],
        "kind": kind,
        "contact": contact,
        "person": person,
        "others": list(others),
        "state": "pending",
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }


async def by_id(connection: AsyncConnection, store: Store, ident: str) -> Row | None:
    """An incident, held until the transaction ends."""
    found = await rows(connection, store.held(sa.select(INCIDENTS).where(INCIDENTS.c.id == ident)))
    return found[0] if found else None
