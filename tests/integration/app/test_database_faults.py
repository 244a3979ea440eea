"""PostgreSQL goes away, freezes, is locked, comes back: the backend says so and goes on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.backend import sample
from tests.support.processes import Service
from tests.support.servers import Postgres
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

PATIENCE = {
    "DATABASE_POOL_TIMEOUT_SECONDS": "60",
    "DATABASE_CONNECT_TIMEOUT_SECONDS": "60",
    "DATABASE_TIMEOUT_SECONDS": "60",
    "DATABASE_SLOW_QUERY_MS": "60000",
}
"""Where slow machines are no subject."""

FAILED_FEED = ["http.request.started", "feed.requested", "db.query.failed", "feed.failed", "http.request.failed"]


def _check(app: Service, name: str) -> tuple[int, str]:
    answer = app.get("/health")
    return answer.status_code, answer.json()["checks"][name]


@pytest.mark.req("ERR-05", "LOG-15", "DBQ-01", "COR-16")
def test_the_feed_is_read_from_postgresql(postgres: Postgres, start: StartService) -> None:
    """Stored posts come back, and every layer logs under the one id."""
    postgres.ask("INSERT INTO posts (author_id, title, body, created_at) VALUES ('7', 'a', 'b', now())")
    app = start("app", DATABASE_URL=postgres.url, **PATIENCE)
    answer = app.get("/feed", "abc123")
    assert [post["title"] for post in answer.json()["posts"]] == ["a"]
    assert app.events("abc123") == ["http.request.started", "feed.requested", "db.query", "feed.loaded", "http.request.completed"]
    (query,) = [record for record in app.records("abc123") if record["event"] == "db.query"]
    assert (query["rows"], query["level"]) == (1, "DEBUG")


@pytest.mark.req("J-01", "J-17", "DBQ-03", "LOG-16", "HLT-01", "HLT-06", "ERR-05", "ERR-09")
def test_a_stopped_database_is_500_under_one_id_and_needs_no_restart_of_ours(postgres: Postgres, start: StartService) -> None:
    """500 with start, query error and terminal record; health 503 names it; the first request after its return succeeds."""
    app = start("app", DATABASE_URL=postgres.url, **PATIENCE)
    assert app.get("/feed").status_code == 200
    postgres.stop()
    answer = app.get("/feed", "abc123")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error", "request_id": "abc123"})
    assert app.events("abc123") == FAILED_FEED
    status, check = _check(app, "database")
    assert (status, check[:6]) == (503, "error:")
    assert app.get("/health/live").status_code == 200
    assert app.get("/nowhere").status_code == 404
    postgres.start()
    assert app.get("/feed").status_code == 200
    assert _check(app, "database") == (200, "ok")
    assert postgres.password not in app.output.read_text() + str(app.records())


def test_connections_that_a_restart_cut_are_replaced_before_they_are_used(postgres: Postgres, start: StartService) -> None:
    """A restart between two requests costs no request."""
    app = start("app", DATABASE_URL=postgres.url, **PATIENCE)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: app.get("/feed").status_code, range(24))) == {200}
        postgres.stop()
        postgres.start()
        assert set(pool.map(lambda _: app.get("/feed").status_code, range(24))) == {200}


@pytest.mark.req("HLT-05", "LOG-23", "DBQ-03")
def test_a_frozen_database_ends_in_errors_and_not_in_a_hang(postgres: Postgres, start: StartService) -> None:
    """Requests over open and over new connections get their 500 or 503 within the limits; it thaws, and all is well."""
    app = start(
        "app", DATABASE_URL=postgres.url, DATABASE_TIMEOUT_SECONDS="1", DATABASE_CONNECT_TIMEOUT_SECONDS="1", DATABASE_POOL_SIZE="2"
    )
    wait_until("the feed is served", lambda: app.get("/feed").status_code == 200)
    postgres.freeze()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: app.get("/feed", f"frozen{number}"), range(6)))
    assert {answer.status_code for answer in answers} <= {500, 503}
    for number in range(6):
        assert app.events(f"frozen{number}").count("db.query.failed") == 1
        assert "http.request.timed_out" not in app.events(f"frozen{number}")
    assert _check(app, "database")[0] == 503
    postgres.thaw()
    wait_until("the feed is served again", lambda: app.get("/feed").status_code == 200, 60)


@pytest.mark.req("DBQ-05", "ERR-09")
def test_an_exhausted_pool_shows_as_100_percent_and_answers_503(postgres: Postgres, start: StartService) -> None:
    """With all connections waiting for a lock the gauge says 100; who gets none is told to come back; later it is 0 again."""
    app = start("app", DATABASE_URL=postgres.url, DATABASE_POOL_SIZE="2", DATABASE_POOL_TIMEOUT_SECONDS="1", DATABASE_TIMEOUT_SECONDS="12")

    def gauge(name: str, **labels: str) -> float:
        return sample(app.get("/metrics").text, name, **labels)

    with postgres.locking("posts"), ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(app.get, "/feed", f"waits{number}") for number in range(2)]
        wait_until("the pool is exhausted", lambda: gauge("db_pool_usage_percent") == 100)
        assert gauge("db_pool_connections", state="in_use") == 2
        refused = app.get("/feed", "refused")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        (record,) = [found for found in app.records("refused") if found["event"] == "db.query.failed"]
        assert (record["operation"], record["reason"]) == ("connect", "pool_exhausted")
        assert [future.result().status_code for future in waiting] == [500, 500]
    for number in range(2):
        (record,) = [found for found in app.records(f"waits{number}") if found["event"] == "db.query.failed"]
        assert (record["reason"], record["error_code"]) == ("timeout", "57014")
    assert app.get("/feed").status_code == 200
    wait_until("the pool is at rest", lambda: gauge("db_pool_usage_percent") == 0)


@pytest.mark.req("DBQ-06")
def test_a_slow_query_is_flagged(postgres: Postgres, start: StartService) -> None:
    """A query that had to wait for a lock longer than the limit is a WARNING, and its request succeeds."""
    app = start("app", DATABASE_URL=postgres.url, DATABASE_SLOW_QUERY_MS="100", DATABASE_TIMEOUT_SECONDS="60")
    with ThreadPoolExecutor(1) as pool:
        with postgres.locking("posts"):
            answer = pool.submit(app.get, "/feed", "slow1")
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > '150 ms'"
            wait_until("the query waits long enough", lambda: postgres.ask(waiting) == "1")
        assert answer.result().status_code == 200
    slow = [found for found in app.records("slow1") if found["event"] == "db.query.slow"]
    (record,) = [found for found in slow if found["operation"] == "select"]  # on a busy machine the end of a transaction may be, too
    assert (record["level"], record["slow"]) == ("WARNING", True)
    assert record["duration_ms"] > 100


@pytest.mark.req("HLT-08")
def test_health_calls_leave_no_connection_behind(postgres: Postgres, start: StartService) -> None:
    """The number of connections of the server is the same after a thousand calls."""
    app = start("app", DATABASE_URL=postgres.url)
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nobet'"
    app.get("/health")
    wait_until("connections of services that have ended are gone", lambda: postgres.ask(count) == "1")
    before = postgres.ask(count)
    for _ in range(1000):
        assert app.get("/health").status_code == 200
    assert postgres.ask(count) == before == "1"


@pytest.mark.req("DBQ-09")
def test_a_million_posts_are_read_along_the_index(postgres: Postgres, start: StartService) -> None:
    """The first page, and one in the middle, touch as many rows as they show."""
    postgres.ask("INSERT INTO posts (author_id, title, body, created_at) SELECT '7', 'a', 'b', now() FROM generate_series(1, 1000000)")
    postgres.ask("ANALYZE posts")
    for query in ("SELECT * FROM posts ORDER BY id DESC LIMIT 21", "SELECT * FROM posts WHERE id < 500000 ORDER BY id DESC LIMIT 21"):
        plan = postgres.ask(f"EXPLAIN (FORMAT JSON) {query}")
        assert "Index Scan" in plan
        assert "Seq Scan" not in plan
    app = start("app", DATABASE_URL=postgres.url)
    page = app.get("/feed?before=500000&limit=3").json()
    assert [post["id"] for post in page["posts"]] == [499999, 499998, 499997]


@pytest.mark.req("DBQ-09")
def test_the_comments_on_a_post_are_found_by_the_index_among_200000(postgres: Postgres, start: StartService) -> None:
    """The first page of one post's comments, and one in the middle, are read along the index in their order."""
    postgres.ask("INSERT INTO posts (author_id, title, body, created_at) SELECT '7', 'a', 'b', now() FROM generate_series(1, 1000)")
    comment = "(n % 1000) + 1, '7', 'b', now() FROM generate_series(1, 200000) AS n"
    postgres.ask(f"INSERT INTO comments (post_id, author_id, body, created_at) SELECT {comment}")
    postgres.ask("ANALYZE comments")
    page_of = "SELECT * FROM comments WHERE post_id = 17 {} ORDER BY id DESC LIMIT 21"
    for query in (page_of.format(""), page_of.format("AND id < 100000")):
        plan = postgres.ask(f"EXPLAIN (FORMAT JSON) {query}")
        assert "ix_comments_post_id" in plan
        assert "Seq Scan" not in plan
    app = start("app", DATABASE_URL=postgres.url)
    page = app.get("/posts/17/comments?limit=3").json()
    assert [entry["post_id"] for entry in page["comments"]] == [17, 17, 17]
