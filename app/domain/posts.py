"""Storing, reading and deleting posts. Titles and texts are never logged, ids are."""

from app.core.logger import get_logger
from app.db import posts
from app.db.engine import Database
from app.db.models import Post

log = get_logger(__name__)


async def create_post(database: Database, author_id: str, title: str, body: str) -> Post:
    """Store a post. It is durable when this returns."""
    async with database.session() as session:
        post = await posts.add(session, author_id, title, body)
    log.info("Post stored", event="post.created", post_id=str(post.id), user_id=author_id)
    return post


async def read_post(database: Database, post_id: int) -> Post | None:
    """The post of that id, or None."""
    async with database.session() as session:
        post = await posts.find(session, post_id)
    if post is None:
        _missing(post_id)
    else:
        log.info("Post read", event="post.viewed", post_id=str(post_id))
    return post


async def delete_post(database: Database, post_id: int) -> bool:
    """Delete a post. False when there was none."""
    async with database.session() as session:
        deleted = await posts.remove(session, post_id)
    if deleted:
        log.info("Post deleted", event="post.deleted", post_id=str(post_id))
    else:
        _missing(post_id)
    return deleted


def _missing(post_id: int) -> None:
    log.info("There is no such post", event="post.missing", post_id=str(post_id))
