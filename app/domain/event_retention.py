"""Forgets old tracked events, a few times a day, in every worker: whoever comes first does it, the others find nothing."""

import asyncio
import datetime as dt
import random
from typing import Final

from app.core import context
from app.core.logger import get_logger
from app.db.engine import Database
from app.db.events import delete_before

EVERY_SECONDS: Final = 6 * 3600.0
FIRST_SECONDS: Final = 300.0
"""The first time is within so many seconds of the start, so that workers don't begin together."""

log = get_logger(__name__)


async def forget_old_events(database: Database, days: int) -> None:
    """For ever: delete what is older than `days`. A failure is logged, and the next turn tries again."""
    await asyncio.sleep(random.uniform(1, FIRST_SECONDS))  # noqa: S311 (no secret)
    while True:
        with context.run("analytics"):
            await forget_once(database, days)
        await asyncio.sleep(EVERY_SECONDS)


async def forget_once(database: Database, days: int) -> None:
    """Delete what is older than `days` now."""
    try:
        gone = await delete_before(database, dt.datetime.now(dt.UTC) - dt.timedelta(days=days))
    except Exception as error:  # noqa: BLE001 (statistics; the application must not end for it)
        log.warning("Old tracked events could not be deleted", event="tracking.failing", component="retention", reason=type(error).__name__)
        return
    if gone:
        log.info("Old tracked events were deleted", event="tracking.expired", count=gone)
