"""Posts."""

from fastapi import APIRouter, HTTPException, status

from app.api import records
from app.api.deps import DatabaseDep
from app.api.schemas import PostCreate, PostId, PostRead
from app.domain import posts

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_post(database: DatabaseDep, post: PostCreate) -> PostRead:
    """Store a post. It is durable when the answer arrives."""
    records.acting_user(post.author_id)
    return PostRead.model_validate(await posts.create_post(database, post.author_id, post.title, post.body))


@router.get("/{post_id}")
async def read_post(database: DatabaseDep, post_id: PostId) -> PostRead:
    """One post."""
    post = await posts.read_post(database, post_id)
    if post is None:
        raise _missing(post_id)
    return PostRead.model_validate(post)


@router.delete("/{post_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_post(database: DatabaseDep, post_id: PostId) -> None:
    """Delete a post."""
    if not await posts.delete_post(database, post_id):
        raise _missing(post_id)


def _missing(post_id: int) -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, f"There is no post {post_id}.")
