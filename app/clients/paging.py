"""All documents of a search, however many: page by page, of one moment."""

from collections.abc import Generator
from contextlib import suppress
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, TransportError

KEEP_ALIVE: Final = "5m"
"""How long Elasticsearch keeps the moment that is being read, from one page to the next."""


def all_hits(client: Elasticsearch, index: str, size: int, **search: Any) -> Generator[dict[str, Any], None, None]:
    """Every hit, `size` documents a request, as they were when the first was asked for. What comes later is not among them.

    `search` is told to Elasticsearch: `query`, `source`, `sort` (which must end in `_shard_doc`) … Raises what the
    client raises, also between two hits; the moment is let go in every case, at once by `close` of the generator.
    """
    search.setdefault("sort", [{"_shard_doc": "asc"}])
    point = client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE)["id"]
    try:
        after: list[Any] | None = None
        while True:
            page = client.search(
                pit={"id": point, "keep_alive": KEEP_ALIVE},
                size=size,
                search_after=after,
                track_total_hits=False,
                **search,
            )
            point, hits = page.get("pit_id", point), page["hits"]["hits"]
            if not hits:
                return
            yield from hits
            after = hits[-1]["sort"]
    finally:
        with suppress(ApiError, TransportError):
            client.close_point_in_time(id=point)
