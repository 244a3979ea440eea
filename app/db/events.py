"""Stores tracked events, a batch in one transaction, each event once however often it is sent; and forgets old ones."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from app.core.analytics_lane import RejectedError
from app.core.tracked_event import TrackedEvent
from app.db.engine import Database
from app.db.errors import sqlstate, tidy
from app.db.models import TrackedEventRow

_DATA_FAULTS: Final = ("22", "23")
"""SQLSTATE classes that say that the data can't be stored, now or later."""

_DELETED_AT_ONCE: Final = 5000

_INSERTS: Final[dict[str, Callable[..., Any]]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


async def store_events(database: Database, events: Sequence[TrackedEvent]) -> None:
    """Insert a batch; events whose id is there already stay as they are.

    Uses one connection of the pool for as long as it takes, and is no part of any request: what it does is in the
    metrics of tracked events, not in those of queries. Raises RejectedError when the data is to blame.
    """
    insert = _INSERTS[database.url.get_backend_name()](TrackedEventRow).on_conflict_do_nothing(index_elements=["id"])
    try:
        async with database.connection() as connection:
            await connection.execute(insert, [_row(event) for event in events])
    except DBAPIError as error:
        tidy(error)
        if (sqlstate(error) or "").startswith(_DATA_FAULTS):
            raise RejectedError(str(error.orig)) from None
        raise


async def delete_before(database: Database, moment: dt.datetime) -> int:
    """Delete the events that are older, a bounded number at a time so that nobody waits for it; returns how many went."""
    gone = 0
    while True:
        async with database.connection() as connection:
            oldest = select(TrackedEventRow.id).where(TrackedEventRow.timestamp < moment).limit(_DELETED_AT_ONCE)
            went = (await connection.execute(delete(TrackedEventRow).where(TrackedEventRow.id.in_(oldest)))).rowcount
        gone += went
        if went < _DELETED_AT_ONCE:
            return gone


def _row(event: TrackedEvent) -> dict[str, Any]:
    return {
        "id": UUID(event.id),
        "timestamp": event.time,
        "event_type": event.event_type,
        "source": event.source,
        "user_ref": event.user_ref,
        "key_id": event.key_id,
        "request_id": event.request_id,
        "properties": event.properties,
    }
