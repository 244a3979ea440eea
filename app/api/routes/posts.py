"""Posts."""

from fastapi import APIRouter, HTTPException, status

from app.api.deps import CacheDep, CurrentUserDep, DatabaseDep, OptionalUserDep
from app.api.errors import MISSING, NEEDS_TOKEN, NOT_YOURS, there_is_no
from app.api.schemas import PostCreate, PostId, PostRead
from app.domain import posts

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", status_code=status.HTTP_201_CREATED, responses=NEEDS_TOKEN)
async def create_post(database: DatabaseDep, cache: CacheDep, user: CurrentUserDep, post: PostCreate) -> PostRead:
    """Store a post of yours. It is durable when the answer arrives."""
    return PostRead.model_validate(await posts.create_post(database, cache, user.user_id, post.title, post.body))


@router.get("/{post_id}", responses=NEEDS_TOKEN | MISSING)
async def read_post(database: DatabaseDep, _user: OptionalUserDep, post_id: PostId) -> PostRead:
    """One post. Works without a token."""
    post = await posts.read_post(database, post_id)
    if post is None:
        raise there_is_no("post", post_id)
    return PostRead.model_validate(post)


@router.delete("/{post_id}", status_code=status.HTTP_204_NO_CONTENT, responses=NEEDS_TOKEN | NOT_YOURS | MISSING)
async def delete_post(database: DatabaseDep, cache: CacheDep, user: CurrentUserDep, post_id: PostId) -> None:
    """Delete a post of yours, with its comments."""
    try:
        deleted = await posts.delete_post(database, cache, post_id, user.user_id)
    except posts.NotTheAuthorError:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Only its author may delete a post.") from None
    if not deleted:
        raise there_is_no("post", post_id)
