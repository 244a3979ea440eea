"""Dead letters in Elasticsearch: found, counted and deleted, as nobet_cleanup, which may do this and write none.

A letter lies in `dead-….YYYY.MM.DD` under the id that its record would have had; `app.shipper.deadletters` says what it holds.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from elasticsearch import ApiError, TransportError

from app.clients.elasticsearch import connect, explain, sign_in
from app.core.config import Settings
from app.core.telemetry.template import dead_prefix

TIMEOUT_SECONDS: Final = 60
PAGE: Final = 200
"""A letter's raw line has at most 1 MiB, and usually half a kilobyte."""

KEEP_ALIVE: Final = "5m"

_SUMMARY_TERMS: Final = 100

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")
_Self = TypeVar("_Self", bound="DeadLetterStore")


class DeadLettersError(Exception):
    """The letters can't be looked up or changed. One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: where it lies, its id, which the record has too, and everything it says."""

    index: str
    ident: str
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        """One of its fields as text; empty when it has none of the name."""
        value = self.fields.get(name)
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: all that fit everything that is given."""

    idents: tuple[str, ...] = ()
    reason: str = ""
    service: str = ""
    day: dt.date | None = None
    """UTC day of the record."""

    @property
    def is_all(self) -> bool:
        """Nothing narrows it."""
        return not (self.idents or self.reason or self.service or self.day)

    def query(self) -> dict[str, Any]:
        """The same for Elasticsearch."""
        wanted: list[dict[str, Any]] = []
        if self.idents:
            wanted.append({"ids": {"values": list(self.idents)}})
        if self.reason:
            wanted.append({"term": {"reason": self.reason}})
        if self.service:
            wanted.append({"term": {"service_name": self.service}})
        if self.day:
            wanted.append({"range": {"timestamp": {"gte": f"{self.day}T00:00:00Z", "lt": f"{self.day + dt.timedelta(days=1)}T00:00:00Z"}}})
        return {"bool": {"filter": wanted}}


def _asking(method: Callable[Concatenate[_Self, _Args], _Result]) -> Callable[Concatenate[_Self, _Args], _Result]:
    """Turn the client's exceptions into sentences."""

    @wraps(method)
    def ask(self: _Self, /, *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        try:
            return method(self, *args, **kwargs)
        except (ApiError, TransportError) as error:
            raise self.sentence(error) from None

    return ask


class DeadLetterStore:
    """The dead letters of one log prefix. Every method raises DeadLettersError."""

    def __init__(self, settings: Settings) -> None:
        self._url: Final = settings.elasticsearch_url
        self._pattern: Final = f"{dead_prefix(settings.log_index_prefix)}-*"
        self._client = connect(self._url, sign_in(settings, "cleanup"), timeout=TIMEOUT_SECONDS)

    @_asking
    def refresh(self) -> None:
        """Let look-ups see everything that was stored and deleted until now."""
        self._client.indices.refresh(index=self._pattern, ignore_unavailable=True, allow_no_indices=True)

    @_asking
    def by_reason(self, selection: Selection) -> Counter[str]:
        """How many letters there are for each reason."""
        answer = self._client.search(
            index=self._pattern,
            query=selection.query(),
            size=0,
            aggs={"reason": {"terms": {"field": "reason", "size": _SUMMARY_TERMS, "missing": "unknown"}}},
            ignore_unavailable=True,
            allow_no_indices=True,
        )
        buckets = answer["aggregations"]["reason"]["buckets"] if "aggregations" in answer else []
        return Counter({str(bucket["key"]): int(bucket["doc_count"]) for bucket in buckets})

    def find(self, selection: Selection, most: int | None = None) -> Iterator[Letter]:
        """The letters of one moment, newest record first; at most `most`."""
        names = self._indices()
        if not names:
            return
        point = self._open(names)
        try:
            after: list[Any] | None = None
            while most is None or most > 0:
                page = self._page(point, selection, PAGE if most is None else min(PAGE, most), after)
                point, hits = page.get("pit_id", point), page["hits"]["hits"]
                if not hits:
                    return
                yield from (Letter(hit["_index"], hit["_id"], hit["_source"]) for hit in hits)
                after = hits[-1]["sort"]
                most = None if most is None else most - len(hits)
        finally:
            with suppress(ApiError, TransportError):
                self._client.close_point_in_time(id=point)

    @_asking
    def delete(self, letters: Sequence[Letter]) -> int:
        """Delete letters; how many were there still."""
        if not letters:
            return 0
        operations = [{"delete": {"_index": letter.index, "_id": letter.ident}} for letter in letters]
        answer = self._client.bulk(operations=operations, filter_path="items.*.status")
        statuses = Counter(int(item["delete"]["status"]) for item in answer["items"])
        if refused := statuses.total() - statuses[200] - statuses[404]:
            worst = next(status for status in statuses if status not in (200, 404))
            raise DeadLettersError(
                f"Elasticsearch did not delete {refused} letters (status {worst}). Is the index blocked? Its log says why."
            )
        return statuses[200]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def sentence(self, error: ApiError | TransportError) -> DeadLettersError:
        """What to do about an error of the client's."""
        return DeadLettersError(explain(error, self._url, "ELASTICSEARCH_CLEANUP_PASSWORD"))

    @_asking
    def _indices(self) -> list[str]:
        found = self._client.indices.get(index=self._pattern, features="aliases", ignore_unavailable=True, allow_no_indices=True)
        return list(found.body)

    @_asking
    def _open(self, names: list[str]) -> str:
        return str(self._client.open_point_in_time(index=",".join(names), keep_alive=KEEP_ALIVE)["id"])

    @_asking
    def _page(self, point: str, selection: Selection, size: int, after: list[Any] | None) -> Any:
        return self._client.search(
            pit={"id": point, "keep_alive": KEEP_ALIVE},
            query=selection.query(),
            size=size,
            sort=[{"timestamp": {"order": "desc", "missing": "_last"}}, {"_shard_doc": "asc"}],
            search_after=after,
            track_total_hits=False,
        )
