"""Reads: what is open, what happened, who is on call; and the gauges made of it."""

from typing import Any, Final

import sqlalchemy as sa

from app.core import metrics
from app.oncall.maintenance import Window, windows_at
from app.oncall.policy import Policy
from app.oncall.rota import on_duty
from app.oncall.store import Row, Store, rows
from app.oncall.tables import ALERTS, INCIDENTS, NOTIFICATIONS, TIMELINE

MOST_SHOWN: Final = 200
"""Incidents, alerts or timeline lines that one answer has."""


class Overview:
    """Answers questions about the store."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store: Final = store
        self._policy: Final = policy

    async def incidents(self, *, open_only: bool, limit: int = MOST_SHOWN) -> list[dict[str, Any]]:
        """Incidents, the open ones first and the newest on top."""
        query = sa.select(INCIDENTS).order_by(INCIDENTS.c.open_key.is_(None), INCIDENTS.c.opened_at.desc()).limit(limit)
        if open_only:
            query = query.where(INCIDENTS.c.open_key.is_not(None))
        async with self._store.transaction() as connection:
            return [shown(row) for row in await rows(connection, query)]

    async def incident(self, ident: str) -> dict[str, Any] | None:
        """One incident with its alerts, messages and timeline; None when there is none. The beginning of one id only is enough."""
        if not ident.isalnum():
            return None
        async with self._store.transaction() as connection:
            found = await rows(connection, sa.select(INCIDENTS).where(INCIDENTS.c.id.startswith(ident, autoescape=True)).limit(2))
            if len(found) != 1:
                return None
            key = found[0]["id"]
            alerts = sa.select(ALERTS).where(ALERTS.c.incident_id == key).order_by(ALERTS.c.status, ALERTS.c.starts_at).limit(MOST_SHOWN)
            messages = (
                sa.select(NOTIFICATIONS).where(NOTIFICATIONS.c.incident_id == key).order_by(NOTIFICATIONS.c.created_at).limit(MOST_SHOWN)
            )
            lines = sa.select(TIMELINE).where(TIMELINE.c.incident_id == key).order_by(TIMELINE.c.at, TIMELINE.c.id).limit(MOST_SHOWN)
            return {
                **shown(found[0]),
                "alerts": [dict(row) for row in await rows(connection, alerts)],
                "messages": [_message(row) for row in await rows(connection, messages)],
                "timeline": [{key: row[key] for key in ("at", "what", "who", "detail")} for row in await rows(connection, lines)],
            }

    def duty(self, at: float) -> list[dict[str, Any]]:
        """Who is on call in each rota, and until when."""
        turns = [(name, on_duty(rota, at)) for name, rota in self._policy.rotas.items()]
        return [
            {"rota": name, "person": turn.person, "name": self._policy.people[turn.person].name, "until": turn.until}
            for name, turn in turns
        ]

    def maintenance(self, at: float) -> list[Window]:
        """The maintenance windows in force."""
        return windows_at(self._policy, at)

    async def measure(self, now: float) -> None:
        """Set the gauges. Every replica sets the same values: take the maximum over them."""
        open_ones = sa.select(INCIDENTS.c.severity, INCIDENTS.c.state, INCIDENTS.c.called_at).where(INCIDENTS.c.open_key.is_not(None))
        waiting = sa.select(sa.func.count()).where(NOTIFICATIONS.c.state == "pending")
        async with self._store.transaction() as connection:
            found = await rows(connection, open_ones)
            pending = int((await connection.execute(waiting)).scalar_one())
        for severity in ("critical", "warning", "info"):
            metrics.gauge("oncall_incidents_open").labels(severity=severity).set(sum(row["severity"] == severity for row in found))
        unanswered = [now - row["called_at"] for row in found if row["state"] != "acknowledged" and row["severity"] == "critical"]
        metrics.gauge("oncall_oldest_unacknowledged_seconds").set(max(unanswered, default=0.0))
        metrics.gauge("oncall_pending_notifications").set(pending)


def shown(row: Row) -> dict[str, Any]:
    """An incident as others see it."""
    names = ("id", "alertname", "service", "env", "severity", "state", "firing", "annotations", "episode", "next_at")
    times = ("opened_at", "notified_at", "acknowledged_at", "acknowledged_by", "resolved_at")
    return {name: row[name] for name in (*names, *times)}


def _message(row: Row) -> dict[str, Any]:
    """A message without the address: that may be secret."""
    channel = row["contact"].partition(":")[0]
    return {"channel": channel, **{name: row[name] for name in ("kind", "person", "state", "attempts", "created_at", "sent_at", "error")}}
