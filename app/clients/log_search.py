"""Finds log records, dead letters and tracked events in Elasticsearch: by the ids that they carry, by user and time."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from elasticsearch import ApiError, AuthenticationException, AuthorizationException, TransportError

from app.clients.elasticsearch import connect, sign_in
from app.core.config import Settings
from app.core.telemetry.template import dead_prefix

ID_FIELDS: Final = ("request_id", "client_request_id", "call_sid", "trace_id")
MOST_RECORDS: Final = 2000
LARGEST_PAGE: Final = 10_000
"""Elasticsearch's own bound for one search (index.max_result_window)."""

SHORTEST_PREFIX: Final = 6
"""A beginning of an id this long is looked up too; console lines show the first eight characters."""

TIMEOUT_SECONDS: Final = 10

Fields = Mapping[str, str | int]


class SearchError(Exception):
    """The look-up could not be made. One sentence that says what to do."""


@dataclass(slots=True)
class Found:
    """Records and dead letters in the order of time."""

    records: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    more: int = 0
    """How many exist beyond the limit: they are missing in the middle, before place `gap`."""
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Earlier:
    """How often something happened before, among how many, and when first (ISO 8601; empty when never)."""

    count: int
    of: int
    first: str = ""


class LogSearch:
    """Look-ups as nobet_reader."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.elasticsearch_url
        self._logs = f"{settings.log_index_prefix}-*"
        self._dead = f"{dead_prefix(settings.log_index_prefix)}-*"
        self._events = f"{settings.effective_events_prefix}-*"
        self._client = connect(settings.elasticsearch_url, sign_in(settings, "reader"), timeout=TIMEOUT_SECONDS)

    def by_ids(self, idents: Sequence[str], limit: int = MOST_RECORDS) -> Found:
        """Everything in which one of the ids stands: of more than `limit` records the first and the last. Raises SearchError."""
        query = _of_ids(idents)
        records, total = self._search(self._logs, query, size=limit)
        gap = 0
        if total > len(records) > 1:
            gap = len(records) - len(records) // 2
            last, _ = self._search(self._logs, query, size=len(records) - gap, order="desc")
            records = records[:gap] + last[::-1]
        dead, _ = self._search(self._dead, query)
        return Found(records, dead, max(0, total - len(records)), gap)

    def tracked(self, idents: Sequence[str]) -> list[dict[str, Any]]:
        """The tracked events that carry one of the ids, in the order of time. Raises SearchError."""
        return self._search(self._events, _of_ids(idents))[0]

    def ids_beginning(self, start: str) -> list[str]:
        """Whole ids that begin so, newest first; at most ten. Raises SearchError."""
        if len(start) < SHORTEST_PREFIX:
            return []
        query = {"bool": {"should": [{"prefix": {name: start}} for name in ID_FIELDS]}}
        records, _ = self._search(self._logs, query, size=200, order="desc")
        found = (str(record[name]) for record in records for name in ID_FIELDS if str(record.get(name, "")).startswith(start))
        return list(dict.fromkeys(found))[:10]

    def earlier(self, among: Fields, same: Fields, events: Sequence[str], start: float, end: float) -> Earlier:
        """How many records of these events with the fields `among` also have the fields `same`, and when the first was.

        From `start` until before `end`, in seconds since the epoch. Raises SearchError.
        """
        _, total = self._search(self._logs, _with_fields(among, events, start, end), size=0)
        records, count = self._search(self._logs, _with_fields({**among, **same}, events, start, end), size=1)
        return Earlier(count, total, str(records[0].get("timestamp", "")) if records else "")

    def ended_requests(self, user_id: str, events: Sequence[str], start: float, end: float, limit: int) -> tuple[list[dict[str, Any]], int]:
        """The user's records of these events, newest first, at most `limit`; and how many there are. Raises SearchError."""
        return self._search(self._logs, _with_fields({"user_id": user_id}, events, start, end), size=limit, order="desc")

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


def _of_ids(idents: Sequence[str]) -> dict[str, Any]:
    return {"bool": {"should": [{"terms": {name: list(idents)}} for name in ID_FIELDS]}}


def _with_fields(fields: Fields, events: Sequence[str], start: float, end: float) -> dict[str, Any]:
    within = {"range": {"timestamp": {"gte": _iso(start), "lt": _iso(end)}}}
    terms = ({"term": {name: value}} for name, value in fields.items())
    return {"bool": {"filter": [within, {"terms": {"event": list(events)}}, *terms]}}


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="microseconds")
