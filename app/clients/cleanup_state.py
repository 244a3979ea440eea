"""One document in Elasticsearch that makes sure that one cleanup runs at a time, and remembers how the last ones went.

It lies where the indices lie, so every machine that could clean them up sees the
same. Each change carries the sequence number of what was read before; of two that
write at once, Elasticsearch refuses one. A holder that died is forgotten after
LEASE_SECONDS; the clocks of the machines must agree within about a minute.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from elastic_transport import ObjectApiResponse
from elasticsearch import ApiError, ConflictError, Elasticsearch, TransportError

from app.clients.elasticsearch import BasicAuth, connect, explain
from app.core.index_store import StoreError
from app.core.log_cleanup import CleanupReport

INDEX: Final = "nobet-cleanup"
LEASE_SECONDS: Final = 300.0
RENEW_SECONDS: Final = 60.0
"""A lease is renewed when this much of it has passed."""

NEWBORN_SECONDS: Final = 10.0
"""Longest wait for the shard of an index that was made just now; usually it takes a tenth of a second."""

_NO_SHARD_YET: Final = 503
_PAUSE_SECONDS: Final = 0.1
_ID: Final = "state"
_TIMEOUT_SECONDS: Final = 10


class LeaseHeldError(Exception):
    """Somebody else is cleaning up. The text says who, and what to do."""


@dataclass(frozen=True, slots=True)
class CleanupState:
    """Times are Unix seconds, 0 for never; counts are of all runs together, finished ones only."""

    holder: str = ""
    expires_at: float = 0.0
    night: str = ""
    """The last night whose run has ended, as a date; it is not repeated, however it ended."""
    last_success_at: float = 0.0
    failed: bool = False
    runs: int = 0
    failures: int = 0
    indices: int = 0
    documents: int = 0
    archives_expired: int = 0


class CleanupLease:
    """The state, and the right to run. Methods raise StoreError when Elasticsearch can't be asked."""

    def __init__(self, url: str, auth: BasicAuth | None, holder: str, *, replicas: int = 0, clock: Callable[[], float] = time.time) -> None:
        """`holder` names this process for people, such as host:pid; `clock` gives Unix seconds."""
        self._url: Final = url
        self._client: Final[Elasticsearch] = connect(url, auth, timeout=_TIMEOUT_SECONDS)
        self._holder: Final = holder
        self._replicas: Final = replicas
        self._clock: Final = clock
        self._held: tuple[CleanupState, dict[str, int]] | None = None

    def state(self) -> CleanupState:
        """What is known about the last runs."""
        return self._read()[0]

    def acquire(self) -> None:
        """Take the lease. Raises LeaseHeldError when somebody else has it."""
        state, version = self._read()
        if state.holder and state.expires_at > self._clock():
            raise _held_by(state.holder, state.expires_at - self._clock())
        self._write(state, version)

    def renew(self) -> None:
        """Keep the lease when it is time to. Raises LeaseHeldError when it was lost, because this process stood still for long."""
        if self._held is None:
            raise LeaseHeldError("This process has no lease. Another one has taken over.")
        state, version = self._held
        if state.expires_at - self._clock() < LEASE_SECONDS - RENEW_SECONDS:
            self._write(state, version)

    def release(self, report: CleanupReport | None = None, night: str = "") -> None:
        """Give the lease back and note how the run went; `night` when it was the run of that night."""
        if self._held is None:
            return
        state, version = self._held
        noted = _after(state, report, self._clock()) if report is not None else state
        self._put(replace(noted, holder="", expires_at=0.0, night=night or state.night), version)
        self._held = None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _write(self, state: CleanupState, version: dict[str, int]) -> None:
        held = replace(state, holder=self._holder, expires_at=self._clock() + LEASE_SECONDS)
        self._held = held, self._put(held, version)

    def _read(self) -> tuple[CleanupState, dict[str, int]]:
        """The state and what a write has to carry; no numbers when there is no state yet."""
        answer = self._get()
        if not answer.body.get("found"):
            return CleanupState(), {}
        source: dict[str, Any] = answer["_source"]
        known = {name: source[name] for name in CleanupState.__dataclass_fields__ if name in source}
        return CleanupState(**known), {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}

    def _get(self) -> ObjectApiResponse[Any]:
        """The document, or what says that there is none. An index that another process has just made needs a moment until it answers."""
        patience = time.monotonic() + NEWBORN_SECONDS
        while True:
            try:
                return self._client.options(ignore_status=404).get(index=INDEX, id=_ID)
            except (ApiError, TransportError) as error:
                newborn = isinstance(error, ApiError) and error.meta.status == _NO_SHARD_YET
                if not newborn or time.monotonic() > patience:
                    raise self._sentence(error) from None
            time.sleep(_PAUSE_SECONDS)

    def _put(self, state: CleanupState, version: dict[str, int]) -> dict[str, int]:
        try:
            if not version:
                self._make_index()
            arguments: dict[str, Any] = version or {"op_type": "create"}
            answer = self._client.index(index=INDEX, id=_ID, document=asdict(state), **arguments)
        except ConflictError:
            self._held = None
            raise _held_by("another process", LEASE_SECONDS) from None
        except (ApiError, TransportError) as error:
            raise self._sentence(error) from None
        return {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}

    def _make_index(self) -> None:
        settings = {"number_of_shards": 1, "number_of_replicas": self._replicas}
        self._client.options(ignore_status=400).indices.create(index=INDEX, settings=settings, mappings={"dynamic": False})

    def _sentence(self, error: ApiError | TransportError) -> StoreError:
        return StoreError(explain(error, self._url, "ELASTICSEARCH_CLEANUP_PASSWORD"))


def _after(state: CleanupState, report: CleanupReport, now: float) -> CleanupState:
    failed = bool(report.failure)
    return replace(
        state,
        failed=failed,
        last_success_at=state.last_success_at if failed else now,
        runs=state.runs + 1,
        failures=state.failures + failed,
        indices=state.indices + len(report.deleted),
        documents=state.documents + report.documents,
        archives_expired=state.archives_expired + len(report.archives_expired),
    )


def _held_by(holder: str, seconds: float) -> LeaseHeldError:
    return LeaseHeldError(f"A cleanup is under way ({holder}). Wait for its end; if it died, another can start in {seconds:.0f} s.")
