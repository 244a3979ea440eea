"""All documents of a search, however many: page by page, of one moment."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, TransportError

KEEP_ALIVE: Final = "5m"
"""How long Elasticsearch keeps the moment that is being read, from one page to the next."""


def all_hits(client: Elasticsearch, index: str, size: int, **search: Any) -> Iterator[dict[str, Any]]:
    """Every hit, `size` documents a request, as they were when the first was asked for. What comes later is not among them.

    `search` is told to Elasticsearch: `query`, `source` … Raises what the client
    raises, also between two hits; the moment is let go in every case.
    """
    point = client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE)["id"]
    try:
        after: list[Any] | None = None
        while True:
            page = client.search(
                pit={"id": point, "keep_alive": KEEP_ALIVE},
                size=size,
                sort=[{"_shard_doc": "asc"}],
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
