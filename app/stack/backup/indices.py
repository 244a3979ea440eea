"""Elasticsearch: every index as lines of JSON, read at one moment of it.

Why not a snapshot of Elasticsearch's own? It writes to a folder that each node must be told of (`path.repo`), in
the clear, as large as the data on the same disk; and it opens only in Elasticsearch of the same or the next major
version. Lines go straight into the sealed file, whichever way the stack runs, and any version takes them. The price
is time; so an index that did not change since the last backup, as every index but the last days', is taken over.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx

from app.clients.index_store import ElasticsearchIndices
from app.core.index_store import IndexInfo, StoreError
from app.core.log_restore import BATCH_BYTES, BATCH_DOCUMENTS
from app.stack.backup.model import Part
from app.stack.backup.place import Place
from app.stack.backup.saver import Saver
from app.stack.backup.streams import Pour
from app.stack.errors import StackError

NAME: Final = "elasticsearch"
DOCUMENTS: Final = "documents"

_SECONDS: Final = 60.0
_TELL_EVERY: Final = 5000


def save_indices(place: Place, saver: Saver) -> str:
    """Save every index. Raises StackError."""
    url, auth = place.elasticsearch
    saver.versions["Elasticsearch"] = _version(url, auth)
    store = ElasticsearchIndices(url, auth)
    try:
        found = _own(store)
        total = 0
        for number, index in enumerate(found, start=1):
            total += _save_index(store, index, saver, f"index {number} of {len(found)}, ", total)
    except StoreError as error:
        raise StackError(str(error)) from None
    finally:
        store.close()
    return f"{total:,} documents in {len(found)} indices"


def restore_index(place: Place, part: Part, pour: Pour, tell: Callable[[int], None]) -> int:
    """Make an index anew and count what arrived. Never touches one that is there. Raises StackError; leaves no half index."""
    url, auth = place.elasticsearch
    store = ElasticsearchIndices(url, auth)
    try:
        if store.exists(part.name):
            raise StackError(f"There is an index {part.name} already. Delete it, or restore into an empty stack.")
        try:
            loader = _Loader(store, part.name, tell)
            pour(loader.take)
            loader.end()
            found = store.content(part.name).documents
            if found != part.counts[DOCUMENTS]:
                raise StackError(f"{part.name} has {found} documents, and the backup {part.counts[DOCUMENTS]}. Try again.")
        except BaseException:
            store.delete(part.name)
            raise
        return found
    except StoreError as error:
        raise StackError(str(error)) from None
    finally:
        store.close()


def _own(store: ElasticsearchIndices) -> list[IndexInfo]:
    """All indices but Elasticsearch's own, which begin with a dot."""
    return sorted((index for index in store.open_indices() if not index.name.startswith(".")), key=lambda index: index.name)


def _save_index(store: ElasticsearchIndices, index: IndexInfo, saver: Saver, place_in_row: str, before: int) -> int:
    content = store.content(index.name)
    identity = f"{index.uuid}:{content.documents}:{content.last_sequence}"
    if saver.take_over(NAME, index.name, identity):
        return content.documents
    counts = {DOCUMENTS: 0}

    def lines() -> Iterator[bytes]:
        header = {"index": index.name, "settings": index.settings, "mappings": index.mappings}
        yield json.dumps(header).encode() + b"\n"
        for number, line in enumerate(store.documents(index.name), start=1):
            yield line
            counts[DOCUMENTS] = number
            if number % _TELL_EVERY == 0:
                saver.tell(f"{place_in_row}{before + number:,} documents")

    # Known only when the lines have been read: an index that grew meanwhile is read again next time.
    saver.save(NAME, index.name, lines(), counts, lambda: identity if counts[DOCUMENTS] == content.documents else "")
    return counts[DOCUMENTS]


class _Loader:
    """Takes the plain stream of a part: the first line makes the index, the others are its documents."""

    def __init__(self, store: ElasticsearchIndices, index: str, tell: Callable[[int], None]) -> None:
        self._store: Final = store
        self._index: Final = index
        self._tell: Final = tell
        self._made = False
        self._done = 0
        self._rest = b""
        self._batch: list[bytes] = []
        self._bytes = 0

    def take(self, block: bytes) -> None:
        """The next bytes. What is left in a batch when the stream ends is stored by `end`."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            if not self._made:
                header: dict[str, Any] = json.loads(line)
                self._store.create(self._index, header["settings"], header["mappings"])
                self._made = True
                continue
            self._batch.append(line)
            self._bytes += len(line)
            if len(self._batch) >= BATCH_DOCUMENTS or self._bytes >= BATCH_BYTES:
                self.end()

    def end(self) -> None:
        """Store what was taken."""
        if self._batch:
            self._store.add(self._index, self._batch)
            self._done += len(self._batch)
            self._tell(self._done)
            self._batch.clear()
            self._bytes = 0


def _version(url: str, auth: tuple[str, str]) -> str:
    try:
        answer = httpx.get(url, auth=auth, timeout=_SECONDS).raise_for_status()
        return str(answer.json()["version"]["number"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise StackError(f"Elasticsearch can't be asked for its version ({type(error).__name__}). `make up` starts it.") from None
