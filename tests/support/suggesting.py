"""A request through both services, for tests of what it leaves behind."""

from typing import Final

import httpx

from tests.support.evidence import fresh
from tests.support.waiting import wait_until

PATIENCE_SECONDS: Final = 60


def suggested(app: httpx.Client, prefix: str, path: str = "/suggest", headers: dict[str, str] | None = None) -> str:
    """The id of a request for a suggestion that was answered with one.

    On a busy machine the voice service may pass its time limit of two seconds, which is no matter of the test: then
    another request is made, under an id of its own.
    """

    def ask() -> str:
        ident = fresh(prefix)
        answer = app.post(path, json={"user_id": "999", "topic": "tea"}, headers={**(headers or {}), "X-Event-ID": ident})
        return ident if answer.status_code == 200 else ""

    return wait_until("a suggestion in time", ask, PATIENCE_SECONDS)
