"""Brings planned messages out. A message is claimed for a while, sent, then marked.

A process that dies in between leaves the claim to run out, and another sends the
message again: within CLAIM_SECONDS a page may come twice, but it never vanishes.
Messages to one contact are sent one after the other with a pause, and what has
piled up in the meantime goes into one: a storm of alerts is a handful of messages.
A slow server delays its own contacts only: nobody waits for a message to come to an end.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import metrics
from app.core.logger import get_logger
from app.oncall.batches import Batch, batches
from app.oncall.channels import Channel
from app.oncall.channels.sender import RefusedError, TryAgainError
from app.oncall.links import Links
from app.oncall.machine import move
from app.oncall.messages import compose
from app.oncall.resolve import PAGE, planned, step_of
from app.oncall.store import Row, Store, note, rows, when_stored
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

PARALLEL: Final = 20
"""Messages that are on their way at the same time."""

FRESH_SECONDS: Final = CLAIM_SECONDS - TRY_SECONDS - 10.0
"""A claim that is older when its message's turn comes is renewed first: a try must end before others may claim the message."""

TOGETHER: Final = 50
"""Most incidents that a channel without digests is given in one try: each is a request of its own."""

log = get_logger(__name__)


class Deliverer:
    """Sends what is due."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], links: Links, clock: Callable[[], float]) -> None:
        self._store: Final = store
        self._channels: Final = channels
        self._links: Final = links
        self._clock: Final = clock
        self._served: Final[dict[str, float]] = {}
        self._places: Final = asyncio.Semaphore(PARALLEL)
        self._under_way: Final[dict[asyncio.Task[None], str]] = {}
        self._trouble: BaseException | None = None

    async def run_due(self) -> int:
        """Send what is due now and wait for the outcome; returns how many messages were tried. Failures are kept for another try."""
        count = await self.start_due()
        await self.finish()
        return count

    async def start_due(self) -> int:
        """Begin to send what is due now; returns how many messages. Raises what kept an earlier one from being marked."""
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble
        claimed = await self._claim()
        for batch in claimed:
            task = asyncio.create_task(self._serve(batch))
            self._under_way[task] = batch.contact
            task.add_done_callback(self._ended)
        return sum(len(batch.notifications) for batch in claimed)

    async def finish(self) -> None:
        """Wait for the messages that are on their way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def cancel(self) -> None:
        """Give up what is on its way: its claims run out, and it is sent again."""
        for task in self._under_way:
            task.cancel()
        await self.finish()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task)
        if not task.cancelled() and (trouble := task.exception()):
            self._trouble = trouble

    async def _claim(self) -> list[Batch]:
        now = self._clock()
        resting = {contact for contact, at in self._served.items() if now - at < GAP_SECONDS} | set(self._under_way.values())
        async with self._store.transaction() as connection:
            due = sa.select(NOTIFICATIONS).where(NOTIFICATIONS.c.state == "pending", NOTIFICATIONS.c.due_at <= now)
            if resting:
                due = due.where(NOTIFICATIONS.c.contact.not_in(sorted(resting)))
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
        return batches([row for row in claimed if row["id"] not in gone], incidents, now, self._largest)

    def _largest(self, contact: str) -> int:
        return AT_ONCE if self._channels[contact.partition(":")[0]].digests else TOGETHER

    async def _renewed(self, batch: Batch) -> Batch:
        """The batch under a new claim, without what somebody else has claimed or what was withdrawn in the meantime."""
        idents = [row["id"] for row in batch.notifications]
        same = sa.and_(NOTIFICATIONS.c.id.in_(idents), NOTIFICATIONS.c.state == "pending", NOTIFICATIONS.c.attempts == batch.attempt)
        async with self._store.transaction() as connection:
            ours = {row["id"] for row in await rows(connection, self._store.held(sa.select(NOTIFICATIONS.c.id).where(same)))}
            await connection.execute(sa.update(NOTIFICATIONS).where(same).values(due_at=self._clock() + CLAIM_SECONDS))
        kept = [pair for pair in zip(batch.notifications, batch.incidents, strict=True) if pair[0]["id"] in ours]
        return replace(batch, notifications=[row for row, _ in kept], incidents=[incident for _, incident in kept])

    async def _serve(self, batch: Batch) -> None:
        name, _, address = batch.contact.partition(":")
        channel = self._channels[name]
        failure: Exception | None = None
        async with self._places:
            if self._clock() - batch.claimed_at > FRESH_SECONDS:
                batch = await self._renewed(batch)
            if not batch.notifications:
                return
            started = time.monotonic()
            told = 0
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    for group in [batch.incidents] if channel.digests else [[incident] for incident in batch.incidents]:
                        await channel.send(address, compose(batch.kind, group, self._links, batch.person, batch.contact))
                        told += len(group)
            except (RefusedError, TryAgainError) as error:
                failure = error
            except TimeoutError:
                failure = TryAgainError("not done in time")
            except Exception as error:
                log.exception("A channel failed in an unforeseen way", event="oncall.delivery_failed", component=name)
                failure = TryAgainError(f"failed ({type(error).__name__})")
        metrics.histogram("oncall_delivery_seconds").labels(channel=name).observe(time.monotonic() - started)
        self._served[batch.contact] = self._clock()
        if told:
            await self._sent(batch.part(0, told), name)
        if failure:
            await self._failed(batch.part(told), name, failure)

    async def _sent(self, batch: Batch, channel: str) -> None:
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
            waited = max(0.0, now - incident["called_at"])
            when_stored(connection, lambda: metrics.histogram("oncall_notify_seconds").observe(waited))
        still = sa.and_(INCIDENTS.c.id == incident["id"], INCIDENTS.c.episode == incident["episode"], INCIDENTS.c.state == "firing")
        await connection.execute(sa.update(INCIDENTS).where(still).values(state=move("firing", "notify")))

    async def _failed(self, batch: Batch, channel: str, failure: Exception) -> None:
        now, reason = self._clock(), str(failure)[:500]
        async with self._store.transaction() as connection:
            for row, incident in zip(batch.notifications, batch.incidents, strict=True):
                final = isinstance(failure, RefusedError) or batch.attempt >= MOST_ATTEMPTS
                change: dict[str, Any] = {"error": reason, "state": "failed" if final else "pending"}
                if not final:
                    change["due_at"] = now + _pause(batch.attempt, failure)
                same = sa.and_(
                    NOTIFICATIONS.c.id == row["id"], NOTIFICATIONS.c.state == "pending", NOTIFICATIONS.c.attempts == batch.attempt
                )
                if not (await connection.execute(sa.update(NOTIFICATIONS).where(same).values(change))).rowcount:
                    continue  # it took so long that somebody else has claimed it, or it was withdrawn
                await note(connection, row["incident_id"], now, "not delivered", who=batch.person, detail=f"{channel}: {reason}")
                if row["kind"] == PAGE:
                    await self._go_on(connection, row, incident, now, at_once=final)
        metrics.counter("oncall_notifications_total").labels(channel=channel, outcome="failed").inc()
        log.warning("A message was not delivered", event="oncall.delivery_failed", component=channel, reason=reason)

    async def _go_on(self, connection: AsyncConnection, row: Row, incident: Row, now: float, *, at_once: bool) -> None:
        """The person's next contact is tried at the first failure; with none left, the next level hears of it at the last.

        The next contact's page belongs to the same step, so that every failure plans the same one, and the next step is not
        taken for told already where it reaches the same contact.
        """
        if row["others"]:
            contact, *others = row["others"]
            entry = planned(incident, step_of(row), contact, row["person"], PAGE, now, tuple(others))
            await connection.execute(self._store.insert_new(NOTIFICATIONS).values(entry))
        elif at_once:
            waiting = sa.and_(INCIDENTS.c.id == incident["id"], INCIDENTS.c.next_at > now, INCIDENTS.c.acknowledged_at.is_(None))
            await connection.execute(sa.update(INCIDENTS).where(waiting).values(next_at=now))


def _is_pointless(row: Row, incident: Row) -> bool:
    """A page about something that is over, taken, or has begun anew."""
    return row["kind"] == PAGE and (incident["state"] in ("acknowledged", "resolved") or incident["episode"] != row["episode"])


def _pause(attempt: int, failure: Exception) -> float:
    asked = failure.after if isinstance(failure, TryAgainError) else None
    doubled: float = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
    return max(asked or 0.0, min(doubled, LONGEST_PAUSE_SECONDS))
