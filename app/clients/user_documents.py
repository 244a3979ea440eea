"""What Elasticsearch holds about a user: found, counted, and deleted document by document.

Where to look, for other look-ups too:

    index                          what                query
    <LOG_INDEX_PREFIX>-*           log records         {"term": {"user_id": ID}}
    Settings.effective_events_prefix + "-*"
                                   tracked events      {"terms": {"user_ref": [Pseudonyms(settings).all_of(ID), user_ref of each]}};
                                                       of a request {"term": {"request_id": ID}}
    dead-…-*                       refused lines        only `raw` says whose they are; it is not indexed

A tracked event has the fields timestamp, id, event_type, priority, source, service_name, user_ref, key_id, request_id
and `properties.<name>` (docs/events.md); sort by timestamp.

Deletes by id, because the native Elasticsearch has no module for `_delete_by_query`; as nobet_cleanup, which may
delete documents and change none.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from elasticsearch import ApiError, TransportError

from app.clients.elasticsearch import connect, explain, sign_in
from app.clients.paging import all_hits
from app.core.config import Settings
from app.core.telemetry.template import dead_prefix

TIMEOUT_SECONDS: Final = 60
PAGE: Final = 1000

Progress = Callable[[int], None]


class DocumentsError(Exception):
    """The look-up or the deletion could not be made. One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of documents about a user. `raw` means that the line in each must be looked at."""

    name: str
    index: str
    query: dict[str, Any]
    raw: bool = False


class UserDocuments:
    """The documents about one user. Every method raises DocumentsError."""

    def __init__(self, settings: Settings, user_id: str, user_refs: Sequence[str]) -> None:
        """`user_refs` are the user's pseudonyms under every known key."""
        self._url: Final = settings.elasticsearch_url
        self._user_id: Final = user_id
        self._user_refs: Final = frozenset(user_refs)
        self._client = connect(self._url, sign_in(settings, "cleanup"), timeout=TIMEOUT_SECONDS)
        self.kinds: Final = (
            Kind("log records", f"{settings.log_index_prefix}-*", {"term": {"user_id": user_id}}),
            Kind("tracked events", f"{settings.effective_events_prefix}-*", {"terms": {"user_ref": list(user_refs)}}),
            Kind("dead letters", f"{dead_prefix(settings.log_index_prefix)}-*", {"match_all": {}}, raw=True),
        )

    def count(self, kind: Kind) -> int:
        """How many documents of a kind there are now, the newest included."""
        try:
            self._client.indices.refresh(index=kind.index, ignore_unavailable=True, allow_no_indices=True)
            if kind.raw:
                return sum(1 for _ in self._ids(kind))
            answer = self._client.search(
                index=kind.index, query=kind.query, size=0, track_total_hits=True, ignore_unavailable=True, allow_no_indices=True
            )
        except (ApiError, TransportError) as error:
            raise self._sentence(error) from None
        return int(answer["hits"]["total"]["value"])

    def delete(self, kind: Kind, progress: Progress) -> int:
        """Delete what there is of a kind, telling how many are done; returns how many went. What stays shows in `count`."""
        gone = 0
        page: list[dict[str, str]] = []
        try:
            for found in self._ids(kind):
                page.append(found)
                if len(page) >= PAGE:
                    gone += self._delete(page)
                    page = []
                    progress(gone)
            gone += self._delete(page)
        except (ApiError, TransportError) as error:
            raise self._sentence(error) from None
        progress(gone)
        return gone

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _delete(self, page: list[dict[str, str]]) -> int:
        if not page:
            return 0
        answer = self._client.bulk(operations=[{"delete": found} for found in page], filter_path="items.*.status")
        return sum(item["delete"]["status"] == 200 for item in answer["items"])

    def _ids(self, kind: Kind) -> Iterator[dict[str, str]]:
        """Index and id of each document of a kind, of one moment."""
        names = list(self._client.indices.get(index=kind.index, features="aliases", ignore_unavailable=True, allow_no_indices=True).body)
        if not names:
            return
        source = {"includes": ["raw"]} if kind.raw else False
        for hit in all_hits(self._client, kind.index, PAGE, query=kind.query, source=source):
            if not kind.raw or self._is_about(str(hit["_source"].get("raw", ""))):
                yield {"_index": hit["_index"], "_id": hit["_id"]}

    def _is_about(self, raw: str) -> bool:
        """Whether a refused line is about the user; of a damaged one by the look of it."""
        try:
            record = json.loads(raw)
        except ValueError:
            return f'"user_id":{json.dumps(self._user_id)}' in raw or any(f'"{ref}"' in raw for ref in self._user_refs)
        return isinstance(record, dict) and (str(record.get("user_id")) == self._user_id or record.get("user_ref") in self._user_refs)

    def _sentence(self, error: ApiError | TransportError) -> DocumentsError:
        return DocumentsError(explain(error, self._url, "ELASTICSEARCH_CLEANUP_PASSWORD"))
