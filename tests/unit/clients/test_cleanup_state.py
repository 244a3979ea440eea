"""The lease of the cleanup, for answers of Elasticsearch that a real one gives only in a moment that can't be met."""

from typing import Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig, ObjectApiResponse
from elasticsearch import ApiError

from app.clients import cleanup_state
from app.clients.cleanup_state import CleanupLease
from app.core.index_store import StoreError


def answer(status: int) -> ApiResponseMeta:
    """The head of an answer."""
    return ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "localhost", 9200))


class Newborn:
    """Stands in for the client while another process has just made the index: no shard takes requests yet."""

    def __init__(self, refusals: int, status: int = 503) -> None:
        self._refusals = refusals
        self._status = status

    def options(self, **_: Any) -> "Newborn":
        """The same."""
        return self

    def get(self, **_: Any) -> ObjectApiResponse[Any]:
        """Refused for a while, then there is no document."""
        self._refusals -= 1
        if self._refusals >= 0:
            raise ApiError("no_shard_available_action_exception", answer(self._status), {})
        return ObjectApiResponse({"found": False}, answer(404))


def lease_over(client: Newborn) -> CleanupLease:
    """A lease that asks this client."""
    lease = CleanupLease("http://localhost:9200", None, "here:1")
    lease.close()
    lease._client = client  # type: ignore[misc, assignment]
    return lease


@pytest.mark.req("RET-02")
def test_an_index_that_was_made_just_now_is_waited_for() -> None:
    """Two processes start at once, one makes the index: the other's first question finds no shard yet, and is asked again."""
    assert lease_over(Newborn(2)).state().runs == 0


def test_the_wait_has_an_end_and_other_refusals_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that stays so is an error, and so is every other answer."""
    with pytest.raises(StoreError, match="500"):
        lease_over(Newborn(1, 500)).state()
    monkeypatch.setattr(cleanup_state, "NEWBORN_SECONDS", 0.0)
    with pytest.raises(StoreError, match="503"):
        lease_over(Newborn(1000)).state()
