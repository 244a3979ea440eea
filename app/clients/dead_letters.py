"""Dead letters in Elasticsearch: found, counted and deleted, as nobet_cleanup, which may do this and write none.

A letter lies in `dead-….YYYY.MM.DD` under the id that its record would have had; `app.shipper.deadletters` says what it holds.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from elasticsearch import ApiError, TransportError

from app.clients.elasticsearch import connect, explain, sign_in
from app.clients.paging import all_hits
from app.clients.sentences import in_sentences
from app.core.config import Settings
from app.core.telemetry.template import dead_prefix

TIMEOUT_SECONDS: Final = 60
PAGE: Final = 200
"""A letter's raw line has at most 1 MiB, and usually half a kilobyte."""

_SUMMARY_TERMS: Final = 100


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


class DeadLetterStore:
    """The dead letters of one log prefix. Every method raises DeadLettersError."""

    def __init__(self, settings: Settings) -> None:
        self._url: Final = settings.elasticsearch_url
        self._pattern: Final = f"{dead_prefix(settings.log_index_prefix)}-*"
        self._client = connect(self._url, sign_in(settings, "cleanup"), timeout=TIMEOUT_SECONDS)

    @in_sentences
    def refresh(self) -> None:
        """Let look-ups see everything that was stored and deleted until now."""
        self._client.indices.refresh(index=self._pattern, ignore_unavailable=True, allow_no_indices=True)

    @in_sentences
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
        if not self._indices():
            return
        order = [{"timestamp": {"order": "desc", "missing": "_last"}}, {"_shard_doc": "asc"}]
        hits = all_hits(self._client, self._pattern, PAGE if most is None else min(PAGE, most), query=selection.query(), sort=order)
        try:
            for hit in islice(hits, most):
                yield Letter(hit["_index"], hit["_id"], hit["_source"])
        except (ApiError, TransportError) as error:
            raise self.sentence(error) from None
        finally:
            hits.close()

    @in_sentences
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

    @in_sentences
    def _indices(self) -> list[str]:
        found = self._client.indices.get(index=self._pattern, features="aliases", ignore_unavailable=True, allow_no_indices=True)
        return list(found.body)
