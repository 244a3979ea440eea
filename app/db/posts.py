"""Queries about posts. What they log about themselves comes from the engine (`app.db.observe`)."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Post


async def newest(session: AsyncSession, limit: int, before: int | None = None) -> Sequence[Post]:
    """At most `limit` posts, newest first; only those older than the post `before`, when given."""
    query = select(Post).order_by(Post.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Post.id < before)
    return (await session.scalars(query)).all()


async def find(session: AsyncSession, post_id: int) -> Post | None:
    """The post of that id."""
    return await session.get(Post, post_id)


async def add(session: AsyncSession, author_id: str, title: str, body: str) -> Post:
    """Store a post and give it back with its id."""
    post = Post(author_id=author_id, title=title, body=body)
    session.add(post)
    await session.flush()
    return post


async def author_of(session: AsyncSession, post_id: int) -> str | None:
    """Who wrote a post; None when there is none. The post stays as it is until the end of the transaction."""
    return await session.scalar(select(Post.author_id).where(Post.id == post_id).with_for_update())


async def remove(session: AsyncSession, post_id: int) -> None:
    """Delete a post."""
    await session.execute(delete(Post).where(Post.id == post_id))
