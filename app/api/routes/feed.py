"""The feed."""

from fastapi import APIRouter

from app.api import records
from app.api.deps import CacheDep, DatabaseDep, OptionalUserDep
from app.api.errors import NEEDS_TOKEN
from app.api.schemas import FeedRead, PageBefore, PageLimit
from app.domain.feed import load_feed

router = APIRouter(tags=["feed"])


@router.get("/feed", responses=NEEDS_TOKEN)
async def read_feed(
    database: DatabaseDep, cache: CacheDep, _user: OptionalUserDep, limit: PageLimit = 20, before: PageBefore = None
) -> FeedRead:
    """Posts, newest first, a page at a time. An empty feed is a success with an empty list. Works without a token."""
    records.feed_requested(limit)
    return FeedRead.model_validate(await load_feed(database, cache, limit, before))
