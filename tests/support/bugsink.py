"""Reads what a real Bugsink made of the events that it got, through its API."""

from typing import Any, Final

import httpx

from tests.support.stack import RunningStack

API: Final = "/api/canonical/0"


class Bugsink:
    """The error tracker of a running stack."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack: Final = stack
        self.url: Final = stack.url("error_tracker")

    @property
    def dsn(self) -> str:
        """Where the stack's own processes send to by default."""
        return self._stack.expand("http://{error_key}@{host}:{port[error_tracker]}/1")

    def issues(self) -> list[dict[str, Any]]:
        """All issues of the project."""
        return self._list("/issues/", project="1")

    def events(self, issue: str) -> list[dict[str, Any]]:
        """The events of an issue, whole, as they were stored."""
        return [self._get(f"/events/{event['id']}/")["data"] for event in self._list("/events/", issue=issue)]

    def of(self, request_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Issue and event of each event with that tag `event_id`."""
        found = [(issue["id"], event) for issue in self.issues() for event in self.events(issue["id"])]
        return [(issue, event) for issue, event in found if event["tags"].get("event_id") == request_id]

    def _list(self, path: str, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(path, **params)["results"]
        return found

    def _get(self, path: str, **params: str) -> Any:
        token = {"Authorization": f"Bearer {self._stack.secret('ERROR_TRACKER_TOKEN')}"}
        return httpx.get(f"{self.url}{API}{path}", params=params, headers=token, timeout=30, trust_env=False).raise_for_status().json()
