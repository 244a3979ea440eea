"""From alerts to incidents: each alert counted once, in whatever order and however often it is told."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import metrics
from app.core.logger import get_logger
from app.oncall.alert_rows import UNSEEN, known_of, write
from app.oncall.machine import SEVERITIES, is_worse, move
from app.oncall.payload import Alert, digest
from app.oncall.policy import Policy
from app.oncall.resolve import by_id, cancel_and_announce
from app.oncall.store import Row, Store, note, rows, when_stored
from app.oncall.tables import ALERTS, INCIDENTS

REOPEN_SECONDS: Final = 300.0
"""An alert that comes back within it opens its incident again, instead of a new one."""

_TRIES: Final = 5
"""Two replicas that open the same incident at once: one of them tries again and finds it."""

log = get_logger(__name__)


class Intake:
    """Takes alerts in."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store: Final = store
        self._policy: Final = policy

    async def take(self, alerts: Sequence[Alert], now: float, *, ends_are_sure: bool = True) -> int:
        """Keep these alerts durably; returns how many were news. Safe to call again with the same ones.

        Unless `ends_are_sure`, an alert that ended counts as out of sight, and its incident stays open: Alertmanager
        also ends what a dead Prometheus no longer tells it.
        """
        groups: dict[tuple[str, str, str], list[Alert]] = {}
        for alert in alerts:
            groups.setdefault(alert.group, []).append(alert)
        return sum([await self._take_group(members, now, ends_are_sure) for members in groups.values()])

    async def settle(self, now: float) -> int:
        """End what went out of sight and did not come back; returns how many alerts. For when Prometheus has been back for long."""
        settled = 0
        async with self._store.transaction() as connection:
            query = sa.select(ALERTS.c.incident_id).where(ALERTS.c.status == UNSEEN).distinct().order_by(ALERTS.c.incident_id)
            for found in await rows(connection, query):
                incident = await by_id(connection, self._store, found["incident_id"])
                assert incident is not None  # noqa: S101 - a foreign key holds it
                lost = sa.and_(ALERTS.c.incident_id == incident["id"], ALERTS.c.status == UNSEEN)
                done = await connection.execute(sa.update(ALERTS).where(lost).values(status="resolved", ends_at=now))
                settled += done.rowcount
                await self._update(connection, incident, [], now)
        return settled

    async def _take_group(self, alerts: list[Alert], now: float, sure: bool) -> int:
        for attempt in range(_TRIES):
            try:
                async with self._store.transaction() as connection:
                    return await self._take_in(connection, alerts, now, sure)
            except IntegrityError:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    async def _take_in(self, connection: AsyncConnection, alerts: list[Alert], now: float, sure: bool) -> int:
        key = digest(*alerts[0].group)
        incident = await self._current(connection, key, now)
        known = await known_of(connection, alerts)
        latest = _latest([*known, *(alert.identity for alert in alerts)])
        news = {alert.identity: alert for alert in alerts if _is_news(alert, known.get(alert.identity), latest)}
        if not news:
            return 0
        fresh = [alert for identity, alert in news.items() if identity not in known]
        if incident is None:
            if not fresh:
                incident = await _incident_of(connection, known[next(iter(news))]["incident_id"])
            else:
                incident = await self._open(connection, key, fresh, now)
        await write(connection, incident["id"], news, known, "resolved" if sure else UNSEEN)
        if not sure and any(alert.status == "resolved" for alert in news.values()):
            await note(connection, incident["id"], now, "out of sight", detail="Prometheus does not answer: this is no recovery")
        await self._update(connection, incident, fresh, now)
        when_stored(connection, lambda: metrics.counter("oncall_alerts_received_total").inc(len(news)))
        return len(news)

    async def _current(self, connection: AsyncConnection, key: str, now: float) -> Row | None:
        """The open incident of a group, or one that has ended so recently that it is opened again."""
        found = await rows(connection, self._store.held(sa.select(INCIDENTS).where(INCIDENTS.c.open_key == key)))
        if found:
            return found[0]
        ended = sa.select(INCIDENTS).where(INCIDENTS.c.group_key == key, INCIDENTS.c.resolved_at > now - REOPEN_SECONDS)
        found = await rows(connection, self._store.held(ended.order_by(INCIDENTS.c.resolved_at.desc()).limit(1)))
        return found[0] if found else None

    async def _open(self, connection: AsyncConnection, key: str, alerts: list[Alert], now: float) -> Row:
        first, (name, service, env) = alerts[0], alerts[0].group
        severity = _worst(alerts)
        labels = {**first.labels, "severity": severity}
        values: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "open_key": key,
            "group_key": key,
            "alertname": name,
            "service": service,
            "env": env,
            "severity": severity,
            "state": "firing",
            "firing": 0,
            "annotations": first.annotations,
            "escalation": escalation_for(self._policy, labels),
            "episode": 1,
            "step": 0,
            "next_at": now,
            "opened_at": now,
            "began_at": now,
            "called_at": now,
        }
        await connection.execute(sa.insert(INCIDENTS).values(values))
        await note(connection, values["id"], now, "opened", detail=f"{severity}: {name}")

        def tell() -> None:
            metrics.counter("oncall_incidents_total").labels(severity=severity if severity in SEVERITIES else "warning").inc()
            log.info("An incident was opened", event="oncall.opened", incident_id=values["id"], alert_name=name, component=service)

        when_stored(connection, tell)
        return await _incident_of(connection, values["id"])

    async def _update(self, connection: AsyncConnection, incident: Row, fresh: list[Alert], now: float) -> None:
        """State and counters after the alerts were written."""
        ident = incident["id"]
        count = sa.select(sa.func.count()).where(ALERTS.c.incident_id == ident, ALERTS.c.status != "resolved")
        firing = int((await connection.execute(count)).scalar_one())
        started = [alert for alert in fresh if alert.status == "firing"]
        change: dict[str, Any] = {"firing": firing}
        if firing == 0:
            if incident["state"] != "resolved":
                change |= await cancel_and_announce(connection, self._store, incident, now)
        elif incident["state"] == "resolved":
            change |= await self._again(connection, incident, "reopen", started, now)
        elif started and is_worse(_worst(started), than=incident["severity"]):
            change |= await self._again(connection, incident, "worsen", started, now)
        await connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == ident).values(change))

    async def _again(self, connection: AsyncConnection, incident: Row, action: Any, alerts: list[Alert], now: float) -> dict[str, Any]:
        """A new episode: the escalation begins again."""
        severity = max((incident["severity"], _worst(alerts)), key=lambda name: SEVERITIES.index(name) if name in SEVERITIES else 2)
        await note(connection, incident["id"], now, "reopened" if action == "reopen" else "got worse", detail=severity)
        labels = {**(alerts[0].labels if alerts else {}), "severity": severity}
        return {
            "began_at": now if action == "reopen" else incident["began_at"],
            "called_at": now,
            "state": move(incident["state"], action),
            "open_key": incident["group_key"],
            "severity": severity,
            "escalation": escalation_for(self._policy, labels),
            "episode": incident["episode"] + 1,
            "step": 0,
            "next_at": now,
            "resolved_at": None,
            "notified_at": None,
            "acknowledged_at": None,
            "acknowledged_by": None,
        }


def escalation_for(policy: Policy, labels: dict[str, str]) -> str:
    """The escalation of the first route whose labels all match; the last route matches everything."""
    return next(route.escalation for route in policy.routes if route.match.items() <= labels.items())


def _latest(identities: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The latest start of each fingerprint."""
    latest: dict[str, float] = {}
    for fingerprint, start in identities:
        latest[fingerprint] = max(start, latest.get(fingerprint, start))
    return latest


def _is_news(alert: Alert, known: Row | None, latest: dict[str, float]) -> bool:
    """Whether it changes something. What has ended stays ended: a late `firing` of the same or an earlier start is old news."""
    if alert.status == "firing" and alert.starts_at < latest[alert.identity[0]]:
        return False
    return known is None or known["status"] == UNSEEN or (known["status"] == "firing" and alert.status == "resolved")


def _worst(alerts: Sequence[Alert]) -> str:
    worst = alerts[0].severity if alerts else "none"
    for alert in alerts[1:]:
        if is_worse(alert.severity, than=worst):
            worst = alert.severity
    return worst


async def _incident_of(connection: AsyncConnection, ident: str) -> Row:
    return (await rows(connection, sa.select(INCIDENTS).where(INCIDENTS.c.id == ident)))[0]
