"""The GraphQL schema of the feed. Resolvers call the same services as the endpoints, so they log, count and trace the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import strawberry
from pydantic import ValidationError
from strawberry.extensions import DisableIntrospection, MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter, SchemaExtension
from strawberry.types import ExecutionContext

from app.api import records
from app.api.auth_failures import TokenMissingError, report_token_failure
from app.api.deps import Resources
from app.api.schemas import LARGEST_ID, LONGEST_PAGE, PostCreate
from app.core import tracing
from app.db.models import Post
from app.domain import posts
from app.domain.feed import FeedPage, load_feed
from app.domain.tokens import Claims

DEEPEST: Final = 6
"""Levels of a query; the schema itself has three."""

MOST_TOKENS: Final = 500
"""Words and brackets of a document; the introspection query of the usual tools has about 200."""

MOST_ALIASES: Final = 10
"""Each may be a query of its own to the database."""

ANONYMOUS: Final = "anonymous"
LONGEST_NAME: Final = 64


class BadArgumentError(Exception):
    """An argument that the schema's types let through is not acceptable. The text says which and why, without its value."""


@dataclass(frozen=True, slots=True)
class GraphQLContext:
    """What resolvers get: the long-lived things, and who asks; None when nobody said."""

    resources: Resources
    user: Claims | None


Info = strawberry.Info[GraphQLContext, None]
Ident = Annotated[strawberry.ID, strawberry.argument(description="Id of a post.")]


@strawberry.type(name="Post", description="A stored post.")
class PostNode:
    """A post, as GraphQL shows it."""

    id: strawberry.ID
    author_id: str
    title: str
    body: str
    created_at: datetime = strawberry.field(description="UTC.")

    @classmethod
    def of(cls, post: Post) -> "PostNode":
        """The node of a post."""
        return cls(id=strawberry.ID(str(post.id)), author_id=post.author_id, title=post.title, body=post.body, created_at=post.created_at)


@strawberry.type(name="FeedPage", description="One page of the feed.")
class FeedNode:
    """A page, as GraphQL shows it."""

    posts: list[PostNode] = strawberry.field(description="Newest first; empty when there are none.")
    next_before: strawberry.ID | None = strawberry.field(description="`before` of the next page; null after the last post.")

    @classmethod
    def of(cls, page: FeedPage) -> "FeedNode":
        """The node of a page."""
        following = strawberry.ID(str(page.next_before)) if page.next_before is not None else None
        return cls(posts=[PostNode.of(post) for post in page.posts], next_before=following)


async def _feed(info: Info, limit: int = 20, before: Ident | None = None) -> FeedNode:
    if not 1 <= limit <= LONGEST_PAGE:
        raise BadArgumentError(f"limit: must be between 1 and {LONGEST_PAGE}")
    older_than = _number(before, "before") if before is not None else None
    records.feed_requested(limit)
    resources = info.context.resources
    return FeedNode.of(await load_feed(resources.database, resources.cache, limit, older_than))


async def _post(info: Info, id: Ident) -> PostNode | None:  # noqa: A002 - the argument's name in the schema
    found = await posts.read_post(info.context.resources.database, _number(id, "id"))
    return PostNode.of(found) if found else None


async def _create_post(info: Info, title: str, body: str) -> PostNode:
    user, resources = info.context.user, info.context.resources
    if user is None:
        raise report_token_failure(TokenMissingError(), "graphql createPost")
    try:
        wanted = PostCreate(title=title, body=body)
    except ValidationError as error:
        raise BadArgumentError("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from None
    return PostNode.of(await posts.create_post(resources.database, resources.cache, user.user_id, wanted.title, wanted.body))


@strawberry.type(description="What can be read.")
class Query:
    """As GET /feed and GET /posts/{post_id}."""

    feed: FeedNode = strawberry.field(resolver=_feed, description="Posts, newest first, a page at a time.")
    post: PostNode | None = strawberry.field(resolver=_post, description="One post; null when there is none of that id.")


@strawberry.type(description="What can be changed.")
class Mutation:
    """As POST /posts."""

    create_post: PostNode = strawberry.field(resolver=_create_post, description="Store a post of yours. Needs a token.")


class _Observed(SchemaExtension):
    """Names the operation in all its records, and puts a span around it."""

    def on_execute(self) -> Iterator[None]:
        name = (self.execution_context.operation_name or ANONYMOUS)[:LONGEST_NAME]
        records.graphql_operation(name)
        with tracing.span("graphql.operation", **{"graphql.operation.name": name}):
            yield


class _Schema(strawberry.Schema):
    """Leaves the reporting of errors to the endpoint, which reports each once."""

    def process_errors(self, errors: list[Any], execution_context: ExecutionContext | None = None) -> None:
        """Nothing."""


def make_schema(*, introspection: bool) -> strawberry.Schema:
    """The schema with its limits. Without introspection nobody can ask it what it offers."""
    extensions: list[Any] = [
        lambda: QueryDepthLimiter(max_depth=DEEPEST),
        lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
        lambda: MaxAliasesLimiter(max_alias_count=MOST_ALIASES),
        _Observed,
    ]
    if not introspection:
        extensions.append(DisableIntrospection)
    return _Schema(Query, Mutation, extensions=extensions)


def _number(ident: str, name: str) -> int:
    if not (ident.isascii() and ident.isdigit() and len(ident) <= len(str(LARGEST_ID)) and 1 <= int(ident) <= LARGEST_ID):
        raise BadArgumentError(f"{name}: must be a positive number")
    return int(ident)
