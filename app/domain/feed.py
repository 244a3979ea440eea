"""Reading the feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from app.clients.cache import FeedCache
from app.core import context, metrics, tracing
from app.core.analytics import track_event
from app.core.logger import get_logger
from app.db import posts
from app.db.engine import Database
from app.db.models import Post

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Posts, newest first, and where the next page begins; None after the last post."""

    posts: Sequence[Post]
    next_before: int | None


async def load_feed(database: Database, cache: FeedCache, limit: int, before: int | None = None) -> FeedPage:
    """One page of the feed. Logs how it went; a failure is logged, counted and raised again."""
    try:
        with tracing.span("feed.load") as span:
            page, cached = await _read(database, cache, limit, before)
            span.set("nobet.count", len(page.posts))
            span.set("nobet.cached", cached)
    except Exception as error:
        metrics.counter("feed_loads_total").labels(outcome="failure").inc()
        log.error("The feed query of request %s failed", context.request_id(), event="feed.failed", outcome="failure", exc_info=error)
        track_event(context.current().get("user_id"), "feed_load_failed", {"reason": type(error).__name__})
        raise
    _report(len(page.posts), cached)
    return page


async def _read(database: Database, cache: FeedCache, limit: int, before: int | None) -> tuple[FeedPage, bool]:
    """A page, and whether the cache had it."""
    key = f"{limit}:{before or ''}"
    lookup = await cache.look_up(key)
    if lookup.page is not None:
        return _unpacked(lookup.page), True
    async with database.session() as session:
        found = await posts.newest(session, limit + 1, before)
    page = _page(found, limit)
    if lookup.version is not None:
        await cache.store(key, lookup, _packed(page))
    return page, False


def _page(found: Sequence[Post], limit: int) -> FeedPage:
    """One post more than asked for was read: if it is there, there is a next page."""
    shown = found[:limit]
    return FeedPage(shown, shown[-1].id if len(found) > limit else None)


def _packed(page: FeedPage) -> bytes:
    rows = [(post.id, post.author_id, post.title, post.body, post.created_at) for post in page.posts]
    return orjson.dumps((rows, page.next_before))


def _unpacked(stored: bytes) -> FeedPage:
    rows, next_before = orjson.loads(stored)
    found = [
        Post(id=number, author_id=author, title=title, body=body, created_at=datetime.fromisoformat(created))
        for number, author, title, body, created in rows
    ]
    return FeedPage(found, next_before)


def _report(count: int, cached: bool) -> None:
    outcome = "success" if count else "empty"
    metrics.counter("feed_loads_total").labels(outcome=outcome).inc()
    event = "feed.loaded" if count else "feed.empty"
    log.info("Feed loaded" if count else "Feed is empty", event=event, outcome=outcome, count=count, cached=cached)
