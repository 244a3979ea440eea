"""The two endpoints that all measured applications have.

`/ping` does nothing, so that it shows what a kit costs by itself. `/feed` answers
2 kB out of validated models, with a dependency and a checked parameter, and writes
three application records, as a handler does.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Header, Query
from pydantic import BaseModel


class Post(BaseModel):
    """One of a feed's posts."""

    id: int
    author: str
    title: str
    body: str
    likes: int


class Feed(BaseModel):
    """An answer of 1.9 kB."""

    posts: list[Post]


POSTS: Final[list[dict[str, Any]]] = [
    {
        "id": 1000 + number,
        "author": f"user{number}",
        "title": f"A title of post {number}",
        "body": "The quick brown fox jumps over the lazy dog, and then once more. " * 2,
        "likes": number * 7,
    }
    for number in range(9)
]

REQUESTED: Final[dict[str, Any]] = {"user_id": "u-48213", "page_size": 20, "sort": "newest"}
MISSED: Final[dict[str, Any]] = {"cache_key": "feed:u-48213:newest", "age_seconds": 31.4, "shard": 3}
LOADED: Final[dict[str, Any]] = {"user_id": "u-48213", "count": 9, "duration_ms": 12.5, "source": "database", "cached": False}
"""The fields of the three records: three, three and five."""

FEED_LINES: Final = 3


async def reader_of(authorization: Annotated[str, Header()] = "anonymous") -> str:
    """Who asks: a dependency, as each handler has some."""
    return authorization


def add_endpoints(app: FastAPI, write_lines: Callable[[], None]) -> None:
    """Both endpoints; `write_lines` writes the three records in the way of the kit's logger."""

    @app.get("/ping")
    async def ping() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/feed")
    async def feed(reader: Annotated[str, Depends(reader_of)], limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Feed:
        write_lines()
        return Feed(posts=[Post(**post) for post in POSTS[:limit] if reader])
