"""What people do with an incident: acknowledge it, give it back."""

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from app.core import metrics
from app.core.logger import get_logger
from app.oncall.machine import NotPossibleError, move
from app.oncall.messages import inert
from app.oncall.resolve import ACKNOWLEDGED, announce, by_id, withdraw
from app.oncall.store import Row, Store, note
from app.oncall.tables import INCIDENTS

LONGEST_NAME: Final = 200

log = get_logger(__name__)


class UnknownIncidentError(Exception):
    """There is no incident of that id."""


class Actions:
    """Each is one transaction, with who did it and how in the timeline."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store: Final = store
        self._clock: Final = clock

    async def acknowledge(self, ident: str, who: str, how: str, episode: int | None = None) -> str:
        """Take an incident: nobody else is called. Returns who has it, which is somebody else when they were quicker.

        `episode` is that of the link or button that was used. Raises UnknownIncidentError, or NotPossibleError when it is over.
        """
        now, who = self._clock(), inert(who, LONGEST_NAME) or "somebody"
        async with self._store.transaction() as connection:
            incident = await self._incident(connection, ident)
            state = move(incident["state"], "acknowledge")
            if episode is not None and episode != incident["episode"]:
                raise NotPossibleError("This incident has begun anew since that message. Acknowledge it by the newer one, or on its page.")
            if incident["state"] == "acknowledged":
                await note(connection, ident, now, "acknowledged again", who, how)
                return str(incident["acknowledged_by"])
            change = {"state": state, "acknowledged_at": now, "acknowledged_by": who, "next_at": None}
            await connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == ident).values(change))
            await note(connection, ident, now, "acknowledged", who, how)
            await withdraw(connection, incident, now)
            await announce(connection, self._store, incident, ACKNOWLEDGED, now, but=who)
        metrics.histogram("oncall_acknowledge_seconds").observe(max(0.0, now - incident["called_at"]))
        log.info("An incident was acknowledged", event="oncall.acknowledged", incident_id=ident, reason=how)
        return who

    async def release(self, ident: str, who: str, to: str = "") -> None:
        """Give it back: the escalation begins anew. `to` is a hand-over: that person has it from now on, and no one is called."""
        now, who, to = self._clock(), inert(who, LONGEST_NAME), inert(to, LONGEST_NAME)
        async with self._store.transaction() as connection:
            incident = await self._incident(connection, ident)
            if to:
                move(incident["state"], "acknowledge")
                change: dict[str, Any] = {"state": "acknowledged", "acknowledged_by": to, "acknowledged_at": now, "next_at": None}
                await note(connection, ident, now, "handed over", who, f"to {to}")
            else:
                change = {
                    "state": move(incident["state"], "release"),
                    "acknowledged_by": None,
                    "acknowledged_at": None,
                    "notified_at": None,
                }
                change |= {"episode": incident["episode"] + 1, "step": 0, "next_at": now, "called_at": now}
                await note(connection, ident, now, "given back", who)
            await connection.execute(sa.update(INCIDENTS).where(INCIDENTS.c.id == ident).values(change))
        log.info("An incident changed hands", event="oncall.released", incident_id=ident, outcome="handed_over" if to else "released")

    async def _incident(self, connection: Any, ident: str) -> Row:
        incident = await by_id(connection, self._store, ident)
        if incident is None:
            raise UnknownIncidentError(f"There is no incident {ident}.")
        return incident
