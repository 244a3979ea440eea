"""The feed."""

from fastapi import APIRouter

from app.api import records
from app.api.deps import DatabaseDep
from app.api.schemas import FeedRead, PageBefore, PageLimit
from app.domain.feed import load_feed

router = APIRouter(tags=["feed"])


@router.get("/feed")
async def read_feed(database: DatabaseDep, limit: PageLimit = 20, before: PageBefore = None) -> FeedRead:
    """Posts, newest first, a page at a time. An empty feed is a success with an empty list."""
    records.feed_requested(limit)
    return FeedRead.model_validate(await load_feed(database, limit, before))
