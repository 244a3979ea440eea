"""Commenting on posts. Texts are never logged, ids are."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.core import context, metrics
from app.core.analytics import track_event
from app.core.logger import get_logger
from app.db import comments
from app.db.engine import Database
from app.db.models import Comment
from app.domain.posts import report_missing

SLOW_SECONDS: Final = 0.5
"""A comment that takes longer to store misses its target: the p95 limit of PRF-01."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CommentPage:
    """Comments, newest first, and where the next page begins; None after the last one."""

    comments: Sequence[Comment]
    next_before: int | None


async def add_comment(database: Database, post_id: int, author_id: str, body: str) -> Comment | None:
    """Store a comment; None when there is no such post. A failure is logged, counted and raised again, slowness is marked."""
    started = time.perf_counter()
    try:
        async with database.session() as session:
            comment = await comments.add(session, post_id, author_id, body)
    except Exception as error:
        metrics.counter("comments_submitted_total").labels(outcome="failure").inc()
        log.error(
            "The comment of request %s could not be stored",
            context.request_id(),
            event="comment.failed",
            outcome="failure",
            post_id=str(post_id),
            exc_info=error,
        )
        raise
    if comment is None:
        metrics.counter("comments_submitted_total").labels(outcome="missing").inc()
        report_missing(post_id)
        return None
    _report(comment, time.perf_counter() - started)
    return comment


async def read_comments(database: Database, post_id: int, limit: int, before: int | None = None) -> CommentPage | None:
    """One page of the comments on a post; None when there is no such post."""
    async with database.session() as session:
        found = await comments.newest(session, post_id, limit + 1, before)
    if found is None:
        report_missing(post_id)
        return None
    shown = found[:limit]
    log.info("Comments read", event="comment.listed", post_id=str(post_id), count=len(shown))
    return CommentPage(shown, shown[-1].id if len(found) > limit else None)


def _report(comment: Comment, seconds: float) -> None:
    """A comment is in; the terminal record and the histogram of the endpoint have the whole time, this one the storing."""
    metrics.counter("comments_submitted_total").labels(outcome="success").inc()
    slow = seconds > SLOW_SECONDS
    log.log(
        30 if slow else 20,
        "A comment took too long to store" if slow else "Comment stored",
        event="comment.slow" if slow else "comment.created",
        post_id=str(comment.post_id),
        comment_id=str(comment.id),
        user_id=comment.author_id,
        duration_ms=round(seconds * 1000, 3),
        slow=slow,
    )
    track_event(comment.author_id, "comment_submitted", {"post_id": str(comment.post_id), "comment_length": len(comment.body)})
