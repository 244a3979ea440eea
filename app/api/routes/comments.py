"""Comments on posts, below the post and by themselves."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app.api.deps import CurrentUserDep, DatabaseDep, OptionalUserDep
from app.api.errors import MISSING, NEEDS_TOKEN, there_is_no
from app.api.schemas import LARGEST_ID, CommentCreate, CommentOnPost, CommentRead, CommentsRead, PageBefore, PageLimit, PostId
from app.db.engine import Database
from app.domain import comments

router = APIRouter(tags=["comments"])

OfPost = Annotated[int, Query(ge=1, le=LARGEST_ID, description="The post whose comments are wanted.", examples=[17])]


@router.post("/posts/{post_id}/comments", status_code=status.HTTP_201_CREATED, responses=NEEDS_TOKEN | MISSING)
async def comment_on_post(database: DatabaseDep, user: CurrentUserDep, post_id: PostId, comment: CommentCreate) -> CommentRead:
    """Comment on a post. The comment is durable when the answer arrives."""
    return await _add(database, post_id, user.user_id, comment.body)


@router.get("/posts/{post_id}/comments", responses=NEEDS_TOKEN | MISSING)
async def read_comments_of_post(
    database: DatabaseDep, _user: OptionalUserDep, post_id: PostId, limit: PageLimit = 20, before: PageBefore = None
) -> CommentsRead:
    """The comments on a post, newest first, a page at a time. Works without a token."""
    return await _page(database, post_id, limit, before)


@router.post("/comments", status_code=status.HTTP_201_CREATED, responses=NEEDS_TOKEN | MISSING)
async def create_comment(database: DatabaseDep, user: CurrentUserDep, comment: CommentOnPost) -> CommentRead:
    """Comment on a post that the body names."""
    return await _add(database, comment.post_id, user.user_id, comment.body)


@router.get("/comments", responses=NEEDS_TOKEN | MISSING)
async def read_comments(
    database: DatabaseDep, _user: OptionalUserDep, post_id: OfPost, limit: PageLimit = 20, before: PageBefore = None
) -> CommentsRead:
    """The comments on a post that a parameter names."""
    return await _page(database, post_id, limit, before)


async def _add(database: Database, post_id: int, user_id: str, body: str) -> CommentRead:
    comment = await comments.add_comment(database, post_id, user_id, body)
    if comment is None:
        raise there_is_no("post", post_id)
    return CommentRead.model_validate(comment)


async def _page(database: Database, post_id: int, limit: int, before: int | None) -> CommentsRead:
    page = await comments.read_comments(database, post_id, limit, before)
    if page is None:
        raise there_is_no("post", post_id)
    return CommentsRead.model_validate(page)
