"""One document in Elasticsearch that says how the last backup of the stack went.

A backup is made by a command of the host, which nothing scrapes and which ends; the cleanup process, which both ways
to run have and which may write to this index anyway, shows what is noted here.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, TransportError

from app.clients.cleanup_state import INDEX
from app.clients.elasticsearch import BasicAuth, connect, explain
from app.core.index_store import StoreError

_ID: Final = "backup"
_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class BackupNote:
    """Times are Unix seconds, 0 for never."""

    last_success_at: float = 0.0
    seconds: float = 0.0
    """How long that one took."""
    size: int = 0
    """Its bytes on disk."""
    failed: bool = False
    """Whether a later one failed."""


class BackupNotes:
    """Reads and writes the note. Methods raise StoreError when Elasticsearch can't be asked."""

    def __init__(self, url: str, auth: BasicAuth | None, *, replicas: int = 0) -> None:
        self._url: Final = url
        self._client: Final[Elasticsearch] = connect(url, auth, timeout=_SECONDS)
        self._replicas: Final = replicas

    def read(self) -> BackupNote:
        """What is known; nothing when no backup was ever made."""
        try:
            answer = self._client.options(ignore_status=404).get(index=INDEX, id=_ID)
        except (ApiError, TransportError) as error:
            raise self._sentence(error) from None
        source: dict[str, Any] = answer.body.get("_source") or {}
        return BackupNote(**{name: source[name] for name in BackupNote.__dataclass_fields__ if name in source})

    def write(self, note: BackupNote) -> None:
        """Put the note in the place of the one before."""
        try:
            settings = {"number_of_shards": 1, "number_of_replicas": self._replicas}
            self._client.options(ignore_status=400).indices.create(index=INDEX, settings=settings, mappings={"dynamic": False})
            self._client.index(index=INDEX, id=_ID, document=asdict(note))
        except (ApiError, TransportError) as error:
            raise self._sentence(error) from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _sentence(self, error: ApiError | TransportError) -> StoreError:
        return StoreError(explain(error, self._url, "ELASTICSEARCH_CLEANUP_PASSWORD"))
