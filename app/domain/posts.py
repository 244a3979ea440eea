"""Storing, reading and deleting posts. Titles and texts are never logged, ids are."""

from typing import Final

from app.clients.cache import FeedCache
from app.core.analytics import track_event
from app.core.logger import get_logger
from app.db import comments, posts
from app.db.engine import Database
from app.db.models import Post

log = get_logger(__name__)


class NotTheAuthorError(Exception):
    """Somebody else's post: only its author may do this."""

    def __init__(self, post_id: int) -> None:
        super().__init__(f"Post {post_id} is somebody else's")
        self.post_id: Final = post_id


async def create_post(database: Database, cache: FeedCache, author_id: str, title: str, body: str) -> Post:
    """Store a post. It is durable when this returns, and the next read of the feed shows it."""
    async with database.session() as session:
        post = await posts.add(session, author_id, title, body)
    await cache.invalidate()
    log.info("Post stored", event="post.created", post_id=str(post.id), user_id=author_id)
    track_event(author_id, "post_created", {"post_id": str(post.id)})
    return post


async def read_post(database: Database, post_id: int) -> Post | None:
    """The post of that id, or None."""
    async with database.session() as session:
        post = await posts.find(session, post_id)
    if post is None:
        report_missing(post_id)
    else:
        log.info("Post read", event="post.viewed", post_id=str(post_id))
    return post


async def delete_post(database: Database, cache: FeedCache, post_id: int, user_id: str) -> bool:
    """Delete a post of this user, with its comments. False when there was none. Raises NotTheAuthorError."""
    async with database.session() as session:
        author = await posts.author_of(session, post_id)
        if author == user_id:
            await comments.remove_of(session, post_id)
            await posts.remove(session, post_id)
    if author is None:
        report_missing(post_id)
        return False
    if author != user_id:
        log.info("Only the author may delete a post", event="post.refused", post_id=str(post_id), reason="not_the_author")
        raise NotTheAuthorError(post_id)
    await cache.invalidate()
    log.info("Post deleted", event="post.deleted", post_id=str(post_id))
    return True


def report_missing(post_id: int) -> None:
    """Note that a post was asked for which does not exist."""
    log.info("There is no such post", event="post.missing", post_id=str(post_id))
