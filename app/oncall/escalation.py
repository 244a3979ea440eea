"""When the next level hears of an incident. The timers are in the database: a killed process forgets none."""

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.logger import get_logger
from app.oncall.machine import OPEN
from app.oncall.maintenance import maintained
from app.oncall.policy import Escalation, Policy
from app.oncall.resolve import PAGE, planned
from app.oncall.rota import quiet_until, targets
from app.oncall.store import Row, Store, note, rows
from app.oncall.tables import INCIDENTS, NOTIFICATIONS

AT_ONCE: Final = 100
"""Incidents that one transaction takes; more are the next one's."""

log = get_logger(__name__)


class Escalator:
    """Plans pages for incidents whose time has come."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], float]) -> None:
        self._store: Final = store
        self._policy: Final = policy
        self._clock: Final = clock

    async def run_due(self) -> int:
        """Take the next step of every incident that is due; returns how many. A step and its messages are one transaction."""
        total = 0
        while True:
            async with self._store.transaction() as connection:
                now = self._clock()
                due = sa.select(INCIDENTS).where(INCIDENTS.c.next_at <= now, INCIDENTS.c.state.in_(sorted(OPEN)))
                found = await rows(connection, self._store.claimed(due.order_by(INCIDENTS.c.next_at).limit(AT_ONCE)))
                for incident in found:
                    await self._step(connection, incident, now)
            total += len(found)
            if len(found) < AT_ONCE:
                return total

    async def _step(self, connection: AsyncConnection, incident: Row, now: float) -> None:
        reasons = []
        if (quiet := quiet_until(self._policy, incident["severity"], now)) is not None:
            reasons.append((quiet, "quiet hours"))
        if (window := maintained(self._policy, incident, now)) is not None:
            reasons.append((window.until, f"maintenance: {window.reason}"))
        held, reason = max(reasons, default=(now, ""))
        if held > now:
            await note(connection, incident["id"], now, "held back", detail=reason)
            await _set(connection, incident, next_at=held)
            return
        escalation = self._policy.escalations.get(incident["escalation"]) or next(iter(self._policy.escalations.values()))
        level, round_number = position(escalation, incident["step"])
        reached = targets(self._policy, escalation.levels[level], now)
        entries = [planned(incident, incident["step"], target.contact, target.person, PAGE, now, target.others) for target in reached]
        await connection.execute(self._store.insert_new(NOTIFICATIONS), entries)
        names = ", ".join(target.person or target.contact.partition(":")[0] for target in reached)
        await note(connection, incident["id"], now, "paging", who=names, detail=f"level {level + 1}, round {round_number + 1}")
        log.info(
            "A level hears of an incident",
            event="oncall.escalated",
            incident_id=incident["id"],
            alert_name=incident["alertname"],
            count=len(reached),
        )
        await _set(connection, incident, step=incident["step"] + 1, next_at=next_time(escalation, incident["step"], now))


def position(escalation: Escalation, step: int) -> tuple[int, int]:
    """Level and round of a step, both counted from 0."""
    return step % len(escalation.levels), step // len(escalation.levels)


def next_time(escalation: Escalation, step: int, now: float) -> float | None:
    """When the step after this one is due; None after the last round."""
    level, round_number = position(escalation, step)
    wait = escalation.levels[level].wait
    if level + 1 < len(escalation.levels):
        return now + wait
    return now + wait + escalation.repeat if round_number + 1 < escalation.rounds else None


async def _set(connection: AsyncConnection, incident: Row, **values: object) -> None:
    await connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == incident["id"]).values(values))
