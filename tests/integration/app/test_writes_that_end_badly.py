"""Storing a post on PostgreSQL fails after its validation: at the commit, in the commit, or because the client leaves."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest

from tests.support.processes import Service
from tests.support.servers import Postgres
from tests.support.users import SIGNING_KEY, issued_headers
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

pytestmark = pytest.mark.req("J-15", "LOG-23", "DBQ-03")

WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND now() - query_start > '400 ms' AND query LIKE 'INSERT INTO posts%'"
)


@contextmanager
def _at_commit(postgres: Postgres, statement: str) -> Iterator[None]:
    """Every commit of a new post runs this first."""
    postgres.ask(f"CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NULL; END $$")
    try:
        postgres.ask(
            "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON posts DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION at_commit()"
        )
        yield
    finally:
        postgres.ask("DROP FUNCTION at_commit() CASCADE")


def _start(start: StartService, postgres: Postgres, seconds: int) -> Service:
    return start("app", DATABASE_URL=postgres.url, JWT_SECRET=SIGNING_KEY, DATABASE_TIMEOUT_SECONDS=str(seconds))


def _record(app: Service, ident: str, event: str) -> dict[str, Any]:
    (found,) = [record for record in app.records(ident) if record["event"] == event]
    return found


@pytest.mark.parametrize(
    ("statement", "reason"),
    [("RAISE EXCEPTION 'the books are closed'", "error"), ("PERFORM pg_sleep(60)", "timeout")],
    ids=["fails", "hangs"],
)
def test_the_end_of_a_commit_is_told(postgres: Postgres, start: StartService, statement: str, reason: str) -> None:
    """500, an ERROR record with the operation `commit`, one terminal record; the connection serves again, and nothing was stored."""
    app = _start(start, postgres, 5)
    headers = {**issued_headers("7"), "X-Event-ID": "commit"}
    with _at_commit(postgres, statement):
        answer = httpx.post(f"{app.url}/posts", json={"title": "a", "body": "b"}, headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 500
    failed = _record(app, "commit", "db.query.failed")
    assert (failed["level"], failed["operation"], failed["reason"]) == ("ERROR", "commit", reason)
    assert "books are closed" not in str(app.records())
    assert _record(app, "commit", "http.request.failed")["error_location"]
    assert app.get("/feed").json()["posts"] == []


def test_a_client_that_leaves_while_its_post_waits_is_told_with_the_place(postgres: Postgres, start: StartService) -> None:
    """One terminal record, cancelled because the client is gone; the slow insert before it says where it was."""
    app = _start(start, postgres, 30)
    body = orjson.dumps({"title": "a", "body": "b"})
    head = ["POST /posts HTTP/1.1", "Host: app", "Content-Type: application/json", f"Content-Length: {len(body)}", "X-Event-ID: left"]
    head += [f"{name}: {value}" for name, value in issued_headers("7").items()]
    with postgres.locking("posts"), socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        wait_until("the insert waiting", lambda: postgres.ask(WAITING) == "1")
    terminal = _record(app, "left", "http.request.cancelled")
    assert (terminal["level"], terminal["outcome"], terminal["reason"]) == ("WARNING", "cancelled", "client_gone")
    slow = [record["operation"] for record in app.records("left") if record["event"] == "db.query.slow"]
    assert "insert" in slow  # on a busy machine others may be, too
