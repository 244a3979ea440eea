"""The indices in Elasticsearch, for the cleanup and for restoring: as nobet_cleanup, or as nobet_admin for what makes indices."""

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, TransportError

from app.clients.elasticsearch import BasicAuth, connect, explain
from app.clients.paging import all_hits
from app.clients.sentences import in_sentences
from app.core.index_store import Content, IndexInfo, StoreError

TIMEOUT_SECONDS: Final = 60
PAGE_DOCUMENTS: Final = 500
"""A record has at most LOG_MAX_RECORD_BYTES, 64 KiB, so a page stays below 32 MiB; usually it is half a megabyte."""

_KEPT_SETTINGS: Final = ("number_of_shards", "number_of_replicas", "refresh_interval", "analysis", "codec", "sort", "mapping")
"""Settings that make an index what it is; the others belong to the one copy of it (uuid, dates, places)."""


class ElasticsearchIndices:
    """An `app.core.index_store.IndexStore`."""

    def __init__(self, url: str, auth: BasicAuth | None) -> None:
        self._url: Final = url
        self._setting: Final = (
            f"ELASTICSEARCH_{auth[0].removeprefix('nobet_').upper()}_PASSWORD" if auth else "ELASTICSEARCH_CLEANUP_PASSWORD"
        )
        self._client: Final[Elasticsearch] = connect(url, auth, timeout=TIMEOUT_SECONDS)

    @in_sentences
    def indices(self, prefixes: Collection[str]) -> list[IndexInfo]:
        """See the protocol. Closed indices are among them: they can't be archived, so they must not be overlooked."""
        found: dict[str, IndexInfo] = {}
        for prefix in prefixes:
            answer = self._client.indices.get(index=f"{prefix}-*", expand_wildcards=["open", "closed"], allow_no_indices=True)
            found |= _described(answer.body)
        return list(found.values())

    @in_sentences
    def open_indices(self) -> list[IndexInfo]:
        """All indices that can be read, whatever their names; hidden ones are Elasticsearch's own business."""
        return list(_described(self._client.indices.get(index="*", expand_wildcards="open", allow_no_indices=True).body).values())

    @in_sentences
    def content(self, name: str) -> Content:
        """See the protocol."""
        self._client.indices.refresh(index=name)
        answer = self._client.search(index=name, size=0, track_total_hits=True, aggs={"last": {"max": {"field": "_seq_no"}}})
        last = answer["aggregations"]["last"]["value"]
        return Content(int(answer["hits"]["total"]["value"]), -1 if last is None else int(last))

    def documents(self, name: str) -> Iterator[bytes]:
        """See the protocol."""
        try:
            yield from map(_line, all_hits(self._client, name, PAGE_DOCUMENTS))
        except (ApiError, TransportError) as error:
            raise self.sentence(error) from None

    @in_sentences
    def delete_unchanged(self, index: IndexInfo, content: Content) -> bool:
        """See the protocol. The index takes no writes between the last look and its end; the shipper tries again meanwhile."""
        if self._uuid(index.name) != index.uuid:
            return False
        self._client.indices.add_block(index=index.name, block="write")
        try:
            unchanged = self.content(index.name) == content
            if unchanged:
                self._client.indices.delete(index=index.name)
        except BaseException:
            self._unblock(index.name)
            raise
        if not unchanged:
            self._unblock(index.name)
        return unchanged

    @in_sentences
    def exists(self, name: str) -> bool:
        """See the protocol."""
        return bool(self._client.indices.exists(index=name, expand_wildcards="all"))

    @in_sentences
    def create(self, name: str, settings: dict[str, Any], mappings: dict[str, Any]) -> None:
        """See the protocol."""
        self._client.indices.create(index=name, settings=settings, mappings=mappings)

    @in_sentences
    def add(self, name: str, lines: list[bytes]) -> None:
        """See the protocol."""
        operations: list[Any] = []
        for document in map(json.loads, lines):
            action = {key: document[key] for key in ("_id", "routing") if key in document}
            operations += [{"create": action}, document["_source"]]
        answer = self._client.bulk(index=name, operations=operations, filter_path="errors,items.*.error")
        if answer["errors"]:
            first = next(item["create"]["error"] for item in answer["items"] if item.get("create", {}).get("error"))
            raise StoreError(f"{name} does not take a document of the archive: {first.get('reason')}. Restore it into another index.")

    @in_sentences
    def delete(self, name: str) -> None:
        """See the protocol."""
        self._client.indices.delete(index=name, ignore_unavailable=True)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def sentence(self, error: ApiError | TransportError) -> StoreError:
        """What to do about an error of the client's."""
        return StoreError(explain(error, self._url, self._setting))

    def _uuid(self, name: str) -> str | None:
        answer = self._client.indices.get_settings(index=name, ignore_unavailable=True, flat_settings=True).body
        found = answer.get(name)
        return str(found["settings"]["index.uuid"]) if found else None

    def _unblock(self, name: str) -> None:
        """Take writes again. The index may be gone, or Elasticsearch; the run has its failure already."""
        with suppress(ApiError, TransportError):
            self._client.indices.put_settings(index=name, settings={"index.blocks.write": None})


def _described(answer: dict[str, Any]) -> dict[str, IndexInfo]:
    found = {}
    for name, described in answer.items():
        settings = described["settings"]["index"]
        kept = {key: settings[key] for key in _KEPT_SETTINGS if key in settings}
        found[name] = IndexInfo(name, settings["uuid"], kept, described["mappings"])
    return found


def _line(hit: dict[str, Any]) -> bytes:
    document = {"_id": hit["_id"], **({"routing": hit["_routing"]} if "_routing" in hit else {}), "_source": hit["_source"]}
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"
