"""Queries about comments. What they log about themselves comes from the engine (`app.db.observe`)."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Comment, Post


async def add(session: AsyncSession, post_id: int, author_id: str, body: str) -> Comment | None:
    """Store a comment and give it back with its id. None when there is no such post.

    The post is locked against deletion until the end of the transaction, so
    that the foreign key, which would be an error in the log, is never broken.
    """
    found = await session.scalar(select(Post.id).where(Post.id == post_id).with_for_update(read=True, key_share=True))
    if found is None:
        return None
    comment = Comment(post_id=post_id, author_id=author_id, body=body)
    session.add(comment)
    await session.flush()
    return comment


async def newest(session: AsyncSession, post_id: int, limit: int, before: int | None = None) -> Sequence[Comment] | None:
    """At most `limit` comments on a post, newest first; only those older than `before`, when given. None when there is no such post."""
    query = select(Comment).where(Comment.post_id == post_id).order_by(Comment.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Comment.id < before)
    found = (await session.scalars(query)).all()
    if found or await session.scalar(select(Post.id).where(Post.id == post_id)) is not None:
        return found
    return None


async def remove_of(session: AsyncSession, post_id: int) -> None:
    """Delete the comments on a post that is about to go. PostgreSQL would do so itself; SQLite keeps them, and gives the id away again."""
    await session.execute(delete(Comment).where(Comment.post_id == post_id))
