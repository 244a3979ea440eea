"""Finds log records in Elasticsearch by the ids that they carry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from elasticsearch import ApiError, AuthenticationException, AuthorizationException, TransportError

from app.clients.elasticsearch import connect, sign_in
from app.core.config import Settings
from app.core.telemetry.template import dead_prefix

ID_FIELDS: Final = ("request_id", "client_request_id", "call_sid", "trace_id")
MOST_RECORDS: Final = 2000
SHORTEST_PREFIX: Final = 6
"""A beginning of an id this long is looked up too; console lines show the first eight characters."""

TIMEOUT_SECONDS: Final = 10


class SearchError(Exception):
    """The look-up could not be made. One sentence that says what to do."""


@dataclass(slots=True)
class Found:
    """Records and dead letters in the order of time. `more` is how many exist beyond the limit."""

    records: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    more: int = 0


class LogSearch:
    """Look-ups as nobet_reader."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.elasticsearch_url
        self._logs = f"{settings.log_index_prefix}-*"
        self._dead = f"{dead_prefix(settings.log_index_prefix)}-*"
        self._client = connect(settings.elasticsearch_url, sign_in(settings, "reader"), timeout=TIMEOUT_SECONDS)

    def by_ids(self, idents: Sequence[str]) -> Found:
        """Everything in which one of the ids stands. Raises SearchError."""
        query = {"bool": {"should": [{"terms": {name: list(idents)}} for name in ID_FIELDS]}}
        records, total = self._search(self._logs, query)
        dead, _ = self._search(self._dead, query)
        return Found(records, dead, max(0, total - len(records)))

    def ids_beginning(self, start: str) -> list[str]:
        """Whole ids that begin so, newest first; at most ten. Raises SearchError."""
        if len(start) < SHORTEST_PREFIX:
            return []
        query = {"bool": {"should": [{"prefix": {name: start}} for name in ID_FIELDS]}}
        records, _ = self._search(self._logs, query, size=200, order="desc")
        found = (str(record[name]) for record in records for name in ID_FIELDS if str(record.get(name, "")).startswith(start))
        return list(dict.fromkeys(found))[:10]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _search(self, index: str, query: dict[str, Any], size: int = MOST_RECORDS, order: str = "asc") -> tuple[list[dict[str, Any]], int]:
        try:
            answer = self._client.search(
                index=index,
                query=query,
                size=size,
                sort=[{"timestamp": {"order": order, "unmapped_type": "date_nanos"}}],
                track_total_hits=True,
                ignore_unavailable=True,
                allow_no_indices=True,
            )
        except (AuthenticationException, AuthorizationException):
            raise SearchError(
                f"Elasticsearch at {self._url} refuses the credentials. Check ELASTICSEARCH_READER_PASSWORD in .env."
            ) from None
        except TransportError as error:
            raise SearchError(
                f"Elasticsearch at {self._url} is not reachable ({type(error).__name__}). "
                "Start the stack with `make up`, or check ELASTICSEARCH_URL."
            ) from None
        except ApiError as error:
            raise SearchError(f"Elasticsearch at {self._url} could not search: {error.meta.status} {error.message}.") from None
        hits = answer["hits"]
        return [{**hit["_source"], "_id": hit["_id"], "_index": hit["_index"]} for hit in hits["hits"]], int(hits["total"]["value"])
