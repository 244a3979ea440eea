"""What an expired token leaves behind, looked up in every store. The journeys in which a token expires share it."""

import json
from typing import Any, Final

from tests.support.client import Action, SimulatedClient
from tests.support.crashlytics_sink import CrashlyticsSink
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.waiting import wait_until

ARRIVAL_SECONDS: Final = 30
"""SHP-01: a record is found within 30 s."""

EXPIRED: Final = 'sum(auth_token_errors_total{service="app",reason="expired"})'


def messages(sink: SentrySink, ident: str, text: str) -> list[dict[str, Any]]:
    """The messages of an error tracker under an id."""
    return [event for event in sink.of(ident) if text in (event.get("message"), (event.get("logentry") or {}).get("message"))]


def count(stores: Stores, expression: str) -> float:
    """The value of a counter; 0 before its first event."""
    found = stores.query(expression)
    return float(found[0]["value"][1]) if found else 0.0


class Expiry:
    """One request with an expired token, and the three places in which it is found by its id."""

    def __init__(self, world: RunningStack, stores: Stores, backend: SentrySink, clients: SentrySink, crashlytics: CrashlyticsSink) -> None:
        self._world: Final = world
        self._stores: Final = stores
        self._backend: Final = backend
        self._clients: Final = clients
        self._crashlytics: Final = crashlytics

    def seen_by_the_user(self, phone: SimulatedClient, action: Action) -> None:
        """401 with the id; the phone is on the login page."""
        assert (action.status, action.body["request_id"], action.body["code"]) == (401, action.event_id, "token_expired")
        assert action.headers["x-request-id"] == action.event_id
        assert (phone.screen, phone.token) == ("login", "")

    def in_the_backends_log(self, ident: str, user_id: str) -> list[dict[str, Any]]:
        """Exactly one WARNING, with id and user, beside the 401. Returns all records of the id."""
        records = wait_until("the records arriving", lambda: self._complete(ident), ARRIVAL_SECONDS)
        # On a busy machine a query may be slow, too.
        (warning,) = [record for record in records if record["level"] == "WARNING" and record["event"] != "db.query.slow"]
        assert (warning["event"], warning["user_id"], warning["service_name"]) == ("token.expired", user_id, "app")
        (terminal,) = [record for record in records if record.get("status_code") == 401]
        assert (terminal["event"], terminal["level"], terminal["user_id"]) == ("http.request.completed", "INFO", user_id)
        return records

    def in_both_error_trackers(self, ident: str, user_id: str) -> None:
        """One `Token expired` of each side with the tag, level warning; the phone's log says that it logged out."""
        (ours,) = wait_until("the backend's message arriving", lambda: messages(self._backend, ident, "Token expired"), ARRIVAL_SECONDS)
        assert (ours["level"], ours["tags"]["event_id"], ours["user"]) == ("warning", ident, {"id": user_id})
        (theirs,) = wait_until("the phone's message arriving", lambda: messages(self._clients, ident, "Token expired"), ARRIVAL_SECONDS)
        assert theirs["tags"]["event_id"] == ident
        wait_until("the phone's log arriving", lambda: self._crashlytics.logs(ident), ARRIVAL_SECONDS)
        assert self._crashlytics.logs(ident) == ["Token expired, user logged out"]

    def the_token_is_nowhere(self, ident: str, token: str) -> None:
        """No part of the token in any record of the id, any error event, any process' output."""
        outputs = "\n".join(path.read_text(errors="replace") for path in self._world.declared.paths.log_file("app").parent.glob("*.log"))
        places = {
            "records": json.dumps(self._stores.of_request(ident)),
            "error events": json.dumps(self._backend.events) + json.dumps(self._clients.events),
            "output": outputs,
        }
        for part in token.split(".")[1:]:
            assert [place for place, text in places.items() if part in text] == []

    def counted_once(self, before: float, endpoint_before: float, endpoint: str) -> None:
        """One more expired token, and one more 401 of this endpoint."""
        wait_until("the token error being counted", lambda: count(self._stores, EXPIRED) == before + 1, ARRIVAL_SECONDS)
        wait_until("the 401 being counted", lambda: count(self._stores, refusals(endpoint)) == endpoint_before + 1, ARRIVAL_SECONDS)

    def _complete(self, ident: str) -> list[dict[str, Any]]:
        records = self._stores.of_request(ident)
        return records if any(record.get("status_code") == 401 for record in records) else []


def refusals(endpoint: str) -> str:
    """How many 401 an endpoint has answered."""
    return f'sum(http_requests_total{{service="app",endpoint="{endpoint}",status_code="401"}})'
