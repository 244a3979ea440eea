"""What the cleanup asks of the store that keeps the indices. `app.clients.index_store` is the one over Elasticsearch."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol


class StoreError(Exception):
    """The store could not be asked, or refused. One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Content:
    """What an index holds, in two numbers that tell any two states of it apart: nothing is added without a higher sequence number."""

    documents: int
    last_sequence: int
    """Highest sequence number of a document; -1 in an empty index."""


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """One index. `uuid` is another one when it was deleted and made again under the same name."""

    name: str
    uuid: str
    settings: dict[str, Any]
    mappings: dict[str, Any]


class IndexStore(Protocol):
    """Every method raises StoreError."""

    def indices(self, prefixes: Collection[str]) -> list[IndexInfo]:
        """All indices whose names begin with one of the prefixes and a dash; aliases are resolved to what they stand for."""

    def content(self, name: str) -> Content:
        """What an index holds now, the newest documents included."""

    def documents(self, name: str) -> Iterator[bytes]:
        """Every document of one moment, as lines of JSON with `_id` and `_source`, each with its line feed."""

    def delete_unchanged(self, index: IndexInfo, content: Content) -> bool:
        """Delete the index if it still holds exactly this, with no gap in which a document could come in between; else leave it."""

    def exists(self, name: str) -> bool:
        """Whether there is an index or an alias of this name."""

    def create(self, name: str, settings: dict[str, Any], mappings: dict[str, Any]) -> None:
        """Make a new index. Never touches one that is there."""

    def add(self, name: str, lines: list[bytes]) -> None:
        """Put documents, in the form of `documents`, into an index."""

    def delete(self, name: str) -> None:
        """Delete an index, whatever is in it; none of this name is well, too."""
