"""Elasticsearch answers 503 to a search in an index that is just being made, until the index has its shard."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import httpx
from elasticsearch import ApiError

from tests.support.waiting import PAUSE_SECONDS

Answer = TypeVar("Answer")

NO_SHARD_YET: Final = 503
BIRTH_SECONDS: Final = 20


def once_it_is_born(ask: Callable[[], Answer]) -> Answer:
    """The answer, asked for again while an index is newborn. Any other error is raised at once."""
    patience = time.monotonic() + BIRTH_SECONDS
    while True:
        try:
            return ask()
        except (ApiError, httpx.HTTPStatusError) as error:
            status = error.meta.status if isinstance(error, ApiError) else error.response.status_code
            if status != NO_SHARD_YET or time.monotonic() > patience:
                raise
        time.sleep(PAUSE_SECONDS)
