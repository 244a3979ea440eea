"""Reading the feed."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core import context, metrics, tracing
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


async def load_feed(database: Database, limit: int, before: int | None = None) -> FeedPage:
    """One page of the feed. Logs how it went; a failure is logged, counted and raised again."""
    try:
        with tracing.span("feed.load") as span:
            async with database.session() as session:
                found = await posts.newest(session, limit + 1, before)
            page = _page(found, limit)
            span.set("nobet.count", len(page.posts))
    except Exception as error:
        metrics.counter("feed_loads_total").labels(outcome="failure").inc()
        log.error("The feed query of request %s failed", context.request_id(), event="feed.failed", outcome="failure", exc_info=error)
        raise
    _report(len(page.posts))
    return page


def _page(found: Sequence[Post], limit: int) -> FeedPage:
    """One post more than asked for was read: if it is there, there is a next page."""
    shown = found[:limit]
    return FeedPage(shown, shown[-1].id if len(found) > limit else None)


def _report(count: int) -> None:
    if count:
        metrics.counter("feed_loads_total").labels(outcome="success").inc()
        log.info("Feed loaded", event="feed.loaded", outcome="success", count=count)
    else:
        metrics.counter("feed_loads_total").labels(outcome="empty").inc()
        log.info("Feed is empty", event="feed.empty", outcome="empty", count=0)
