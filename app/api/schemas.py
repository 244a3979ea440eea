"""Bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.db.models import AUTHOR_CHARS, TITLE_CHARS
from app.domain.images import Model, Size

LARGEST_ID: Final = 2**63 - 1
"""Ids are 64-bit integers in the database."""

BODY_CHARS: Final = 10_000
COMMENT_CHARS: Final = 2_000
LONGEST_PAGE: Final = 100


def _without_nul(value: str) -> str:
    """PostgreSQL can't store NUL in text."""
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    return value


UserId = Annotated[
    str,
    StringConstraints(pattern=rf"^[A-Za-z0-9._-]{{1,{AUTHOR_CHARS}}}$"),
    Field(description="The user, as an opaque number or name. It is logged, so never an e-mail address.", examples=["42"]),
]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_CHARS), AfterValidator(_without_nul)]
Body = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=BODY_CHARS), AfterValidator(_without_nul)]
CommentBody = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=COMMENT_CHARS), AfterValidator(_without_nul)]
Topic = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_CHARS), AfterValidator(_without_nul)]
PostId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="Id of the post.", examples=[17])]
PageLimit = Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="Most posts in the answer.")]
PageBefore = Annotated[
    int | None,
    Query(ge=1, le=LARGEST_ID, description="Only posts older than this one: `next_before` of the page before. Leave out for the newest."),
]


class PostCreate(BaseModel):
    """A post to be stored. Its author is the user of the token."""

    title: Title = Field(examples=["Night shift"])
    body: Body = Field(examples=["All quiet since midnight."])


class PostRead(BaseModel):
    """A stored post."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[17])
    author_id: str = Field(examples=["42"])
    title: str = Field(examples=["Night shift"])
    body: str = Field(examples=["All quiet since midnight."])
    created_at: datetime = Field(description="UTC.", examples=["2026-11-22T02:15:04.123456Z"])


class FeedRead(BaseModel):
    """One page of the feed."""

    model_config = ConfigDict(from_attributes=True)

    posts: list[PostRead] = Field(description="Newest first; empty when there are none.")
    next_before: int | None = Field(description="`before` of the next page; null after the last post.", examples=[17])


class CommentCreate(BaseModel):
    """A comment to be stored. Its author is the user of the token."""

    body: CommentBody = Field(examples=["Sleep well."])


class CommentOnPost(CommentCreate):
    """The same, naming the post."""

    post_id: int = Field(ge=1, le=LARGEST_ID, strict=True, examples=[17])


class CommentRead(BaseModel):
    """A stored comment."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[5])
    post_id: int = Field(examples=[17])
    author_id: str = Field(examples=["42"])
    body: str = Field(examples=["Sleep well."])
    created_at: datetime = Field(description="UTC.", examples=["2026-11-22T02:17:40.000000Z"])


class CommentsRead(BaseModel):
    """One page of the comments on a post."""

    model_config = ConfigDict(from_attributes=True)

    comments: list[CommentRead] = Field(description="Newest first; empty when there are none.")
    next_before: int | None = Field(description="`before` of the next page; null after the last comment.", examples=[5])


class ImageCreate(BaseModel):
    """An image to be made."""

    prompt: Topic = Field(description="What it shall show. Neither stored nor logged.", examples=["a lighthouse at night"])
    model: Model = Field("flux", description="The model that makes it.")
    size: Size = Field("1024x1024", description="Width and height in pixels.")


class ImageRead(BaseModel):
    """A generated image. Fetch it at `/images/{id}`."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[3])
    model: Model
    size: Size
    created_at: datetime = Field(description="UTC.", examples=["2026-11-22T02:15:04.123456Z"])


class SuggestionsWanted(BaseModel):
    """What the suggestions are for."""

    user_id: UserId
    topic: Topic = Field(description="What the suggestions are about.", examples=["dinner"])
    count: int = Field(3, ge=1, le=10, description="Most suggestions in the answer.")


class SuggestionsRead(BaseModel):
    """What the suggestion service came up with."""

    suggestions: list[str] = Field(examples=[["Something light for dinner", "A walk after dinner"]])
