"""What Redis does for the app when it is there, and what is missing when it isn't: time, nothing else (FAULTS 28)."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.backend import sample
from tests.support.processes import Service
from tests.support.servers import Postgres, RedisServer
from tests.support.users import SIGNING_KEY, issued_headers
from tests.support.waiting import wait_until

StartService = Callable[..., Service]


def _caching(start: StartService, postgres: Postgres, redis: RedisServer, **settings: str) -> Service:
    """An app that keeps pages of the feed in Redis."""
    return start("app", DATABASE_URL=postgres.url, REDIS_URL=redis.url, FEED_CACHE_SECONDS="60", JWT_SECRET=SIGNING_KEY, **settings)


def _titles(app: Service, event_id: str = "") -> list[str]:
    answer = app.get("/feed", event_id)
    assert answer.status_code == 200
    return [post["title"] for post in answer.json()["posts"]]


def _lookups(app: Service) -> dict[str, float]:
    text = app.get("/metrics").text
    return {outcome: sample(text, "cache_lookups_total", outcome=outcome) for outcome in ("hit", "miss", "error")}


def _write(app: Service, title: str) -> int:
    answer = httpx.post(f"{app.url}/posts", json={"title": title, "body": "b"}, headers=issued_headers("7"), trust_env=False)
    assert answer.status_code == 201
    return int(answer.json()["id"])


def test_a_page_is_read_once_and_a_write_ends_it_at_once(postgres: Postgres, redis: RedisServer, start: StartService) -> None:
    """The second read asks no database; after a new post, and after a deletion, what comes is what is."""
    app = _caching(start, postgres, redis, DATABASE_SLOW_QUERY_MS="60000")
    first = _write(app, "one")
    assert [_titles(app, "read1"), _titles(app, "read2")] == [["one"], ["one"]]
    assert ["db.query" in app.events(ident) for ident in ("read1", "read2")] == [True, False]
    (loaded,) = [record for record in app.records("read2") if record["event"] == "feed.loaded"]
    assert loaded["extra"] == {"cached": True}
    _write(app, "two")
    assert _titles(app) == ["two", "one"]
    assert httpx.delete(f"{app.url}/posts/{first}", headers=issued_headers("7"), trust_env=False).status_code == 204
    assert _titles(app) == ["two"]
    assert _lookups(app) == {"hit": 1, "miss": 3, "error": 0}


@pytest.mark.req("J-17", "PRF-15")
def test_without_redis_the_feed_is_only_slower(postgres: Postgres, redis: RedisServer, start: StartService) -> None:
    """Stopped or frozen: reads and writes succeed, lookups are counted as errors, the circuit opens; back again, it is used again."""
    app = _caching(start, postgres, redis, CIRCUIT_FAILURES="3", CIRCUIT_OPEN_SECONDS="0.5")
    _write(app, "one")
    assert _titles(app) == ["one"]
    for away, back in ((redis.freeze, redis.thaw), (redis.stop, redis.start)):
        away()
        for number in range(6):
            assert len(_titles(app, f"away{number}")) >= 1
        _write(app, "more")
        back()
    assert _lookups(app)["error"] >= 6
    opened = [record for record in app.records() if record.get("event") == "circuit.opened"]
    assert {record["component"] for record in opened} == {"cache"}
    before = _lookups(app)["hit"]
    wait_until("pages coming from Redis again", lambda: _titles(app) and _lookups(app)["hit"] > before, 60)
    assert not [record for record in app.records() if record["level"] == "ERROR" and record.get("component") != "redis"]


def test_several_workers_count_a_callers_requests_together(postgres: Postgres, redis: RedisServer, start: StartService) -> None:
    """With two workers and a limit of 20, twenty of fifty requests pass, or up to twice as many when a minute begins in between."""
    app = start("app", workers=2, DATABASE_URL=postgres.url, REDIS_URL=redis.url, RATE_LIMIT_PER_MINUTE="20")
    answers = [app.get("/feed") for _ in range(50)]
    passed = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert len(passed) in range(20, 41)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert sample(app.get("/metrics").text, "rate_limit_checks_total", outcome="refused") == 50 - len(passed)
