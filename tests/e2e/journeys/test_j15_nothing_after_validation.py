"""J-15: storing a post fails after its validation, in four ways; each leaves its end and its place, and no request stays open."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import orjson
import pytest

from tests.support.evidence import ARRIVAL_SECONDS, ENDS, chain, events, fresh
from tests.support.sentry_sink import SentrySink
from tests.support.servers import Postgres
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import SignedInUser, new_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-15", "LOG-23", "DBQ-03")]

WAITING: Final = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND now() - query_start > '400 ms' AND query LIKE 'INSERT INTO posts%'"
)
"""How many new posts have waited for longer than the limit of a slow query."""


@contextmanager
def at_commit(postgres: Postgres, statement: str) -> Iterator[None]:
    """Every commit of a new post runs this first, for as long as the block lasts."""
    postgres.ask(f"CREATE FUNCTION j15_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NULL; END $$")
    try:
        postgres.ask(
            "CREATE CONSTRAINT TRIGGER j15_at_commit AFTER INSERT ON posts DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION j15_at_commit()"
        )
        yield
    finally:
        postgres.ask("DROP FUNCTION j15_at_commit() CASCADE")


def _store(app: httpx.Client, user: SignedInUser, ident: str) -> int:
    body = {"title": "a", "body": "b"}
    return app.post("/api/posts", json=body, headers={**user.headers, "X-Event-ID": ident}).status_code


def _leave(world: RunningStack, user: SignedInUser, ident: str) -> socket.socket:
    """Send a whole request, and give back the connection, to be closed before the answer."""
    body = orjson.dumps({"title": "a", "body": "b"})
    head = [
        "POST /api/posts HTTP/1.1",
        "Host: app",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Event-ID: {ident}",
    ]
    head += [f"{name}: {value}" for name, value in user.headers.items()]
    connection = socket.create_connection(("127.0.0.1", world.port("app")), timeout=10)
    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return connection


def _open_requests(stores: Stores, since: datetime) -> dict[str, int]:
    """The check that anybody can run: requests that began and did not end, over all logs since then."""
    balance: Counter[str] = Counter()
    wanted = {"bool": {"filter": [{"range": {"@timestamp": {"gte": since.isoformat()}}}, {"term": {"service_name": "app"}}]}}
    for record in stores.logs(wanted):
        if record.get("event") == "http.request.started":
            balance[record["request_id"]] += 1
        elif record.get("event") in ENDS and "endpoint" in record:
            balance[record["request_id"]] -= 1
    return {ident: count for ident, count in balance.items() if count > 0}


def _the_end(records: list[dict[str, Any]]) -> dict[str, Any]:
    (terminal,) = events(records, *ENDS)
    return terminal


def test_however_storing_a_post_ends_its_end_is_told(
    world: RunningStack, app: httpx.Client, stores: Stores, error_events: SentrySink
) -> None:
    """An exception at the commit, a hang in the insert or in the commit, a client that leaves: one terminal record each, with the place."""
    since, postgres, user = datetime.now(UTC), Postgres(world), new_user(app, "j15")
    refused, locked, stuck, left = (fresh(f"j15-{name}") for name in ("refused", "locked", "stuck", "left"))

    with at_commit(postgres, "RAISE EXCEPTION 'the books are closed'"):
        assert _store(app, user, refused) == 500
    with at_commit(postgres, "PERFORM pg_sleep(60)"):
        assert _store(app, user, stuck) == 500
    with postgres.locking("posts"):
        assert _store(app, user, locked) == 500
    with postgres.locking("posts"), _leave(world, user, left):
        wait_until("the insert waiting", lambda: postgres.ask(WAITING) == "1", 10)

    places = {
        refused: ("commit", "error", "P0001"),
        stuck: ("commit", "timeout", "57014"),
        locked: ("insert", "timeout", "57014"),
    }
    for ident, (operation, reason, code) in places.items():
        records = chain(stores, ident)
        (failed,) = events(records, "db.query.failed")
        assert (failed["operation"], failed["reason"]) == (operation, reason), ident
        assert failed.get("error_code") in (None, code), "the server's own time limit, or ours for a server that does not keep it"
        terminal = _the_end(records)
        assert (terminal["event"], terminal["outcome"], terminal["level"]) == ("http.request.failed", "failed", "ERROR")
        assert terminal["error_location"]
        assert "post.created" not in {record.get("event") for record in records}
        (event,) = wait_until("the error event", lambda ident=ident: error_events.of(ident), ARRIVAL_SECONDS)  # type: ignore[misc]
        assert "books are closed" not in str(event), "what procedures say may quote data"

    records = chain(stores, left)
    terminal = _the_end(records)
    assert (terminal["event"], terminal["outcome"], terminal["reason"]) == ("http.request.cancelled", "cancelled", "client_gone")
    slow = [record["operation"] for record in events(records, "db.query.slow")]
    assert slow.count("insert") == 1, "where it was when the client left"

    wait_until("every request of this journey having an end", lambda: not _open_requests(stores, since), ARRIVAL_SECONDS)
