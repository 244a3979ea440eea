"""Looks for canary records in the log indices, as nobet_cleanup: the process that writes them has no other right to read."""

import datetime as dt
from collections.abc import Collection
from typing import Any, Final

from elasticsearch import ApiError, TransportError

from app.clients.elasticsearch import connect, explain, sign_in
from app.core.config import Settings
from app.core.index_store import StoreError
from app.core.log_canary import EVENT

TIMEOUT_SECONDS: Final = 5


class LogCanarySearch:
    """An `app.core.log_canary.CanarySearch`."""

    def __init__(self, settings: Settings) -> None:
        self._url: Final = settings.elasticsearch_url
        self._index: Final = f"{settings.log_index_prefix}-*"
        self._client: Final = connect(self._url, sign_in(settings, "cleanup"), timeout=TIMEOUT_SECONDS)

    def found(self, idents: Collection[str]) -> set[str]:
        """See the protocol."""
        hits = self._search({"terms": {"request_id": list(idents)}}, 2 * len(idents))
        return {str(hit["_source"]["request_id"]) for hit in hits}

    def newest(self) -> dt.datetime | None:
        """See the protocol."""
        hits = self._search({"match_all": {}}, 1)
        return dt.datetime.fromisoformat(hits[0]["_source"]["timestamp"]) if hits else None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _search(self, query: dict[str, Any], size: int) -> list[dict[str, Any]]:
        try:
            answer = self._client.search(
                index=self._index,
                query={"bool": {"filter": [{"term": {"event": EVENT}}, query]}},
                size=size,
                sort=[{"timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}],
                source_includes=["request_id", "timestamp"],
                track_total_hits=False,
                ignore_unavailable=True,
                allow_no_indices=True,
            )
        except (ApiError, TransportError) as error:
            raise StoreError(explain(error, self._url, "ELASTICSEARCH_CLEANUP_PASSWORD")) from None
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return hits
