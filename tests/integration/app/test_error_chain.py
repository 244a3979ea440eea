"""What reaches the error tracker. The receiver is a stand-in for a Sentry-compatible server (tests/support/sentry_sink.py)."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.backend import sample
from tests.support.processes import Service
from tests.support.sentry_sink import SentrySink
from tests.support.servers import Postgres
from tests.support.users import SIGNING_KEY, issued_headers
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

WANTED = {"user_id": "42", "topic": "a topic that nobody may see"}


@pytest.fixture
def sink() -> Iterator[SentrySink]:
    """A fresh receiver."""
    with SentrySink() as receiver:
        yield receiver


def _settled(app: Service, sink: SentrySink) -> None:
    """All events up to now have arrived: one that was caused last is there, and events are sent in order."""
    app.get("/debug", "last")
    wait_until("the last event arrives", lambda: sink.of("last"))


@pytest.mark.req(
    "ERR-01", "ERR-02", "ERR-04", "COR-09", "SEB-01", "SEB-02", "SEB-06", "SEB-09", "SEB-11", "SEB-23", "LOG-23", "HTM-03", "J-09"
)
@pytest.mark.parametrize("path", ["/crash", "/debug"])
def test_a_crash_is_one_record_one_event_and_one_count(start: StartService, sink: SentrySink, path: str) -> None:
    """One terminal record, one event with the id, the steps before it and no local values, one error counted."""
    app = start("app", SENTRY_DSN=sink.dsn)
    assert app.get(path, "boom").status_code == 500
    (event,) = wait_until("the event arrives", lambda: sink.of("boom"))
    _settled(app, sink)
    assert len(sink.of("boom")) == 1
    assert app.events("boom") == ["http.request.started", "http.request.failed"]
    assert sample(app.get("/metrics").text, "http_requests_errors_total", endpoint=path, status_code="500") >= 1
    (exception,) = event["exception"]["values"]
    assert (exception["type"], event["environment"], event["release"]) == ("ZeroDivisionError", "test", "nobet@0.1.0")
    assert any("GET" in crumb["message"] for crumb in event["breadcrumbs"]["values"])
    assert all("vars" not in frame for frame in exception["stacktrace"]["frames"])


@pytest.mark.req("SEB-19", "DBQ-03", "J-01", "COR-09")
def test_a_feed_that_fails_for_the_database_is_one_event(postgres: Postgres, start: StartService, sink: SentrySink) -> None:
    """Three layers log the failure, one event tells it, with the id and without the password."""
    app = start("app", DATABASE_URL=postgres.url, SENTRY_DSN=sink.dsn)
    postgres.stop()
    assert app.get("/feed", "abc123").status_code == 500
    wait_until("the event arrives", lambda: sink.of("abc123"))
    _settled(app, sink)
    (event,) = sink.of("abc123")
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]][-1] == "Feed requested"
    assert postgres.password not in str(sink.events)


@pytest.mark.req("SEB-03", "DBQ-04", "DBQ-07")
def test_an_event_shows_the_queries_before_it(start: StartService, sink: SentrySink, tmp_path: Path) -> None:
    """The statement that failed is among the steps, with placeholders."""
    database = tmp_path / "broken.db"
    app = start("app", DATABASE_URL=f"sqlite+aiosqlite:///{database}", SENTRY_DSN=sink.dsn)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE posts")
    assert app.get("/feed?before=424242", "steps").status_code == 500
    (event,) = wait_until("the event arrives", lambda: sink.of("steps"))
    (query,) = [crumb for crumb in event["breadcrumbs"]["values"] if crumb["category"] == "query"]
    assert query["message"].startswith("SELECT posts.id")
    assert "424242" not in str(event)


@pytest.mark.req("SEB-12", "LOG-30", "J-08", "ERR-07", "ERR-10")
def test_what_clients_do_wrong_is_no_event(postgres: Postgres, start: StartService, sink: SentrySink) -> None:
    """400, 404, 405 and 204 report nothing."""
    app = start("app", DATABASE_URL=postgres.url, SENTRY_DSN=sink.dsn, JWT_SECRET=SIGNING_KEY)
    postgres.ask("INSERT INTO posts (author_id, title, body, created_at) VALUES ('7', 'a', 'b', now())")
    assert [app.get(path).status_code for path in ("/feed?limit=x", "/nowhere", "/posts/99")] == [400, 404, 404]
    assert httpx.delete(f"{app.url}/posts/1", trust_env=False, headers=issued_headers("7")).status_code == 204
    assert httpx.delete(f"{app.url}/feed", trust_env=False).status_code == 405
    _settled(app, sink)
    assert {event["tags"]["event_id"] for event in sink.events} == {"last"}


@pytest.mark.req("SEB-12")
def test_a_status_that_is_listed_is_an_event(start: StartService, sink: SentrySink) -> None:
    """With 400 and 404 among SENTRY_FAILED_STATUS_CODES a bad parameter and a missing page are one event each."""
    app = start("app", SENTRY_DSN=sink.dsn, SENTRY_FAILED_STATUS_CODES="500-599,400,404")
    assert app.get("/nowhere", "listed").status_code == 404
    assert app.get("/feed?limit=x", "bad").status_code == 400
    wait_until("the events arrive", lambda: sink.of("listed") and sink.of("bad"))
    _settled(app, sink)
    assert [len(sink.of(ident)) for ident in ("listed", "bad")] == [1, 1]


@pytest.mark.req("SEB-18", "J-06", "SEB-15", "PRV-02")
def test_time_outs_of_the_suggestion_service_are_one_issue(start: StartService, sink: SentrySink) -> None:
    """Each time-out is one event of the same text, with user and id; what was asked for is in none."""
    voice = start("voice", VOICE_HANG_SHARE="1")
    app = start("app", VOICE_URL=voice.url, VOICE_TIMEOUT_SECONDS="1", SENTRY_DSN=sink.dsn)
    for number in range(3):
        assert app.post("/suggest", WANTED, f"t{number}").status_code == 502
    _settled(app, sink)
    events = [event for number in range(3) for event in sink.of(f"t{number}")]
    texts = {(event.get("logentry") or {}).get("message") or event.get("message") for event in events}
    assert (len(events), len(texts)) == (3, 1)
    assert {tuple(event["fingerprint"]) for event in events} == {("processing-limit-exceeded",)}
    assert {event["user"]["id"] for event in events} == {"42"}
    assert WANTED["topic"] not in str(sink.events)


@pytest.mark.req("SEB-21", "LOG-25")
def test_a_dead_error_tracker_changes_no_answer(start: StartService) -> None:
    """With nobody behind the DSN the answers are the same, and the process ends in order."""
    app = start("app", SENTRY_DSN="http://public@127.0.0.1:1/1")
    assert [app.get(path).status_code for path in ("/crash", "/feed", "/crash")] == [500, 200, 500]
    app.stop()
    assert [record["event"] for record in app.records() if record.get("event") == "app.stopped"] == ["app.stopped"]
