"""Brings planned messages out. A message is claimed for a while, sent, then marked.

A process that dies in between leaves the claim to run out, and another sends the
message again: within CLAIM_SECONDS a page may come twice, but it never vanishes.
Messages to one contact are sent one after the other with a pause, and what has
piled up in the meantime goes into one: a storm of alerts is a handful of messages.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import metrics
from app.core.logger import get_logger
from app.oncall.channels import Channel
from app.oncall.channels.sender import RefusedError, TryAgainError
from app.oncall.links import Links
from app.oncall.machine import move
from app.oncall.messages import compose
from app.oncall.resolve import PAGE, planned
from app.oncall.store import Row, Store, note, rows
from app.oncall.tables import INCIDENTS, NOTIFICATIONS

CLAIM_SECONDS: Final = 60.0
"""The documented window: longer than any single try may take."""

TRY_SECONDS: Final = 40.0
"""Most time for one try, all of a channel's steps together."""

MOST_ATTEMPTS: Final = 5
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 120.0
GAP_SECONDS: Final = 5.0
"""Between two messages to one contact; what comes meanwhile is put together."""

AT_ONCE: Final = 2000
"""Messages that one round claims."""

PARALLEL: Final = 10
"""Contacts that are served at the same time, so that one slow server holds up nobody else."""

log = get_logger(__name__)


@dataclass(slots=True)
class _Batch:
    """Messages of one kind to one contact."""

    kind: str
    contact: str
    person: str
    notifications: list[Row] = field(default_factory=list)
    incidents: list[Row] = field(default_factory=list)


class Deliverer:
    """Sends what is due."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], links: Links, clock: Callable[[], float]) -> None:
        self._store: Final = store
        self._channels: Final = channels
        self._links: Final = links
        self._clock: Final = clock
        self._served: Final[dict[str, float]] = {}
        self._places: Final = asyncio.Semaphore(PARALLEL)

    async def run_due(self) -> int:
        """Send what is due now; returns how many messages were tried. Failures are kept for another try."""
        batches = await self._claim()
        await asyncio.gather(*(self._serve(batch) for batch in batches))
        return sum(len(batch.notifications) for batch in batches)

    async def _claim(self) -> list[_Batch]:
        now = self._clock()
        resting = [contact for contact, at in self._served.items() if now - at < GAP_SECONDS]
        async with self._store.transaction() as connection:
            due = sa.select(NOTIFICATIONS).where(NOTIFICATIONS.c.state == "pending", NOTIFICATIONS.c.due_at <= now)
            if resting:
                due = due.where(NOTIFICATIONS.c.contact.not_in(resting))
            claimed = await rows(connection, self._store.claimed(due.order_by(NOTIFICATIONS.c.created_at).limit(AT_ONCE)))
            if not claimed:
                return []
            idents = [row["id"] for row in claimed]
            claim = {"due_at": now + CLAIM_SECONDS, "attempts": NOTIFICATIONS.c.attempts + 1}
            await connection.execute(sa.update(NOTIFICATIONS).where(NOTIFICATIONS.c.id.in_(idents)).values(claim))
            about = sa.select(INCIDENTS).where(INCIDENTS.c.id.in_({row["incident_id"] for row in claimed}))
            incidents = {row["id"]: row for row in await rows(connection, about)}
            pointless = [row["id"] for row in claimed if _is_pointless(row, incidents[row["incident_id"]])]
            if pointless:
                await connection.execute(sa.update(NOTIFICATIONS).where(NOTIFICATIONS.c.id.in_(pointless)).values(state="withdrawn"))
        gone = set(pointless)
        return _batches([row for row in claimed if row["id"] not in gone], incidents)

    async def _serve(self, batch: _Batch) -> None:
        name, _, address = batch.contact.partition(":")
        channel = self._channels[name]
        started = time.monotonic()
        failure: Exception | None = None
        async with self._places:
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    if channel.digests:
                        await channel.send(address, compose(batch.kind, batch.incidents, self._links, batch.person, batch.contact))
                    else:
                        for incident in batch.incidents:
                            await channel.send(address, compose(batch.kind, [incident], self._links, batch.person, batch.contact))
            except (RefusedError, TryAgainError) as error:
                failure = error
            except TimeoutError:
                failure = TryAgainError("not done in time")
            except Exception as error:
                log.exception("A channel failed in an unforeseen way", event="oncall.delivery_failed", component=name)
                failure = TryAgainError(f"failed ({type(error).__name__})")
        metrics.histogram("oncall_delivery_seconds").labels(channel=name).observe(time.monotonic() - started)
        self._served[batch.contact] = self._clock()
        await (self._failed(batch, name, failure) if failure else self._sent(batch, name))

    async def _sent(self, batch: _Batch, channel: str) -> None:
        now = self._clock()
        async with self._store.transaction() as connection:
            idents = [row["id"] for row in batch.notifications]
            await connection.execute(
                sa.update(NOTIFICATIONS).where(NOTIFICATIONS.c.id.in_(idents)).values(state="sent", sent_at=now, error=None)
            )
            for row, incident in zip(batch.notifications, batch.incidents, strict=True):
                await note(connection, row["incident_id"], now, f"{batch.kind} sent", who=batch.person, detail=channel)
                if batch.kind == PAGE:
                    await self._told(connection, incident, now)
        metrics.counter("oncall_notifications_total").labels(channel=channel, outcome="sent").inc()
        log.info("A message was sent", event="oncall.notified", component=channel, count=len(batch.incidents), reason=batch.kind)

    async def _told(self, connection: AsyncConnection, incident: Row, now: float) -> None:
        """The first page of an episode that arrived: somebody knows now."""
        same = sa.and_(INCIDENTS.c.id == incident["id"], INCIDENTS.c.episode == incident["episode"], INCIDENTS.c.notified_at.is_(None))
        told = await connection.execute(sa.update(INCIDENTS).where(same).values(notified_at=now))
        if told.rowcount:
            metrics.histogram("oncall_notify_seconds").observe(max(0.0, now - incident["opened_at"]))
        still = sa.and_(INCIDENTS.c.id == incident["id"], INCIDENTS.c.episode == incident["episode"], INCIDENTS.c.state == "firing")
        await connection.execute(sa.update(INCIDENTS).where(still).values(state=move("firing", "notify")))

    async def _failed(self, batch: _Batch, channel: str, failure: Exception) -> None:
        now, reason = self._clock(), str(failure)[:500]
        async with self._store.transaction() as connection:
            for row, incident in zip(batch.notifications, batch.incidents, strict=True):
                attempt = row["attempts"] + 1
                final = isinstance(failure, RefusedError) or attempt >= MOST_ATTEMPTS
                change: dict[str, Any] = {"error": reason, "state": "failed" if final else "pending"}
                if not final:
                    change["due_at"] = now + _pause(attempt, failure)
                await connection.execute(sa.update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == row["id"]).values(change))
                await note(connection, row["incident_id"], now, "not delivered", who=batch.person, detail=f"{channel}: {reason}")
                if row["kind"] == PAGE and (final or attempt == 1):
                    await self._go_on(connection, row, incident, now, at_once=final)
        metrics.counter("oncall_notifications_total").labels(channel=channel, outcome="failed").inc()
        log.warning("A message was not delivered", event="oncall.delivery_failed", component=channel, reason=reason)

    async def _go_on(self, connection: AsyncConnection, row: Row, incident: Row, now: float, *, at_once: bool) -> None:
        """The person's next contact is tried at the first failure; with none left, the next level hears of it at the last."""
        if row["others"]:
            contact, *others = row["others"]
            entry = planned(incident, incident["step"], contact, row["person"], PAGE, now, tuple(others))
            await connection.execute(self._store.insert_new(NOTIFICATIONS).values(entry))
        elif at_once:
            waiting = sa.and_(INCIDENTS.c.id == incident["id"], INCIDENTS.c.next_at > now, INCIDENTS.c.acknowledged_at.is_(None))
            await connection.execute(sa.update(INCIDENTS).where(waiting).values(next_at=now))


def _is_pointless(row: Row, incident: Row) -> bool:
    """A page about something that is over, taken, or has begun anew."""
    return row["kind"] == PAGE and (incident["state"] in ("acknowledged", "resolved") or incident["episode"] != row["episode"])


def _batches(claimed: Sequence[Row], incidents: Mapping[str, Row]) -> list[_Batch]:
    found: dict[tuple[str, str, int], _Batch] = {}
    for row in claimed:
        # An alert's fallback contact differs, so messages with other fallbacks may share a batch.
        batch = found.setdefault((row["kind"], row["contact"], row["attempts"]), _Batch(row["kind"], row["contact"], row["person"]))
        batch.notifications.append(row)
        batch.incidents.append(incidents[row["incident_id"]])
    return list(found.values())


def _pause(attempt: int, failure: Exception) -> float:
    asked = failure.after if isinstance(failure, TryAgainError) else None
    doubled: float = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
    return max(asked or 0.0, min(doubled, LONGEST_PAUSE_SECONDS))
