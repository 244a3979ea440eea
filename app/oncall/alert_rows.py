"""Alerts as rows: read, written, superseded, many at a time."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.oncall.payload import Alert
from app.oncall.store import Row, rows
from app.oncall.tables import ALERTS

UNSEEN: Final = "unseen"
"""An alert that ended while Prometheus could not be asked."""

_CHUNK: Final = 500


async def known_of(connection: AsyncConnection, alerts: list[Alert]) -> dict[tuple[str, float], Row]:
    """What is stored of these alerts, and of earlier and later starts of the same, by fingerprint and start."""
    identities = list({alert.identity for alert in alerts})
    found: dict[tuple[str, float], Row] = {}
    for start in range(0, len(identities), _CHUNK):
        prints = [fingerprint for fingerprint, _ in identities[start : start + _CHUNK]]
        query = sa.select(ALERTS.c.fingerprint, ALERTS.c.starts_at, ALERTS.c.status, ALERTS.c.incident_id)
        for row in await rows(connection, query.where(ALERTS.c.fingerprint.in_(prints))):
            found[row["fingerprint"], row["starts_at"]] = row
    return found


async def write(
    connection: AsyncConnection,
    incident_id: str,
    news: dict[tuple[str, float], Alert],
    known: dict[tuple[str, float], Row],
    ended_as: str,
) -> None:
    """Store what changed; `known` is what was there before, `ended_as` the status of those that have ended."""
    fresh = [_columns(incident_id, alert) for identity, alert in news.items() if identity not in known]
    for start in range(0, len(fresh), _CHUNK):
        await connection.execute(sa.insert(ALERTS), fresh[start : start + _CHUNK])
    again = [
        {"f": alert.identity[0], "s": alert.identity[1]}
        for identity, alert in news.items()
        if identity in known and alert.status == "firing"
    ]
    await _supersede(connection, news)
    same = sa.and_(ALERTS.c.fingerprint == sa.bindparam("f"), ALERTS.c.starts_at == sa.bindparam("s"))
    if again:
        await connection.execute(sa.update(ALERTS).where(same).values(status="firing"), again)
    ended = [
        {"f": alert.identity[0], "s": alert.identity[1], "e": alert.ends_at}
        for identity, alert in news.items()
        if identity in known and alert.status == "resolved"
    ]
    if ended:
        await connection.execute(sa.update(ALERTS).where(same).values(status=ended_as, ends_at=sa.bindparam("e")), ended)


async def _supersede(connection: AsyncConnection, news: dict[tuple[str, float], Alert]) -> None:
    """An alert that starts again has ended before: Alertmanager forgets an end when the next start comes before its next message."""
    earlier = sa.and_(ALERTS.c.fingerprint == sa.bindparam("f"), ALERTS.c.starts_at < sa.bindparam("s"), ALERTS.c.status != "resolved")
    starts = [{"f": fingerprint, "s": start, "e": start} for fingerprint, start in news]
    await connection.execute(sa.update(ALERTS).where(earlier).values(status="resolved", ends_at=sa.bindparam("e")), starts)


def _columns(incident_id: str, alert: Alert) -> dict[str, Any]:
    fingerprint, starts_at = alert.identity
    return {
        "fingerprint": fingerprint,
        "starts_at": starts_at,
        "incident_id": incident_id,
        "status": alert.status,
        "ends_at": alert.ends_at or None,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "url": alert.url,
    }
