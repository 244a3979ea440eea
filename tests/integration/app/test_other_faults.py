"""Redis and the voice service go away and come back (FAULTS 28), each by itself."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.processes import Service
from tests.support.servers import Postgres, RedisServer
from tests.support.waiting import wait_until

StartService = Callable[..., Service]

WANTED = {"user_id": "42", "topic": "chess"}


def _suggest(app: Service, event_id: str = "") -> httpx.Response:
    return app.post("/suggest", WANTED, event_id)


def _health(app: Service) -> tuple[int, dict[str, str]]:
    answer = app.get("/health")
    checks: dict[str, str] = answer.json()["checks"]
    return answer.status_code, {name: state[:5] for name, state in checks.items() if name in ("database", "redis", "voice")}


@pytest.mark.req("J-17", "HLT-01", "HLT-04", "ERR-09")
def test_without_redis_health_says_so_and_the_rest_serves(postgres: Postgres, redis: RedisServer, start: StartService) -> None:
    """503 with redis in error and the database ok; the feed is served; all is well without a restart when Redis is back."""
    app = start("app", DATABASE_URL=postgres.url, REDIS_URL=redis.url)
    assert _health(app) == (200, {"database": "ok", "redis": "ok"})
    redis.stop()
    assert _health(app) == (503, {"database": "ok", "redis": "error"})
    assert app.get("/feed").status_code == 200
    redis.start()
    wait_until("redis is seen again", lambda: _health(app) == (200, {"database": "ok", "redis": "ok"}), 60)
    assert redis.password not in app.output.read_text() + str(app.records())


@pytest.mark.req("HLT-05")
def test_a_frozen_redis_does_not_hold_up_the_health_answer(postgres: Postgres, redis: RedisServer, start: StartService) -> None:
    """The check ends at its time limit; the other check is reported all the same."""
    app = start("app", DATABASE_URL=postgres.url, REDIS_URL=redis.url, HEALTH_TIMEOUT_SECONDS="5")
    wait_until("all is well", lambda: _health(app)[0] == 200)
    redis.freeze()
    assert _health(app) == (503, {"database": "ok", "redis": "error"})
    redis.thaw()
    wait_until("redis is seen again", lambda: _health(app)[0] == 200, 60)


@pytest.mark.req("HLT-04")
def test_both_failures_are_reported_when_both_are_gone(postgres: Postgres, redis: RedisServer, start: StartService) -> None:
    """Neither hides the other; liveness stays 200, so that nobody restarts healthy workers."""
    app = start("app", DATABASE_URL=postgres.url, REDIS_URL=redis.url)
    postgres.stop()
    redis.stop()
    assert _health(app) == (503, {"database": "error", "redis": "error"})
    assert app.get("/health/live").status_code == 200


@pytest.mark.req("J-06", "ERR-06", "ERR-09", "LOG-18")
def test_without_the_voice_service_only_suggestions_are_missing(postgres: Postgres, start: StartService) -> None:
    """503 for suggestions while it is away, 200 for the feed and for health; 200 again when it is back."""
    voice = start("voice", VOICE_LATENCY_SECONDS="0")
    app = start("app", DATABASE_URL=postgres.url, VOICE_URL=voice.url, VOICE_TIMEOUT_SECONDS="20")
    assert _suggest(app).status_code == 200
    voice.stop()
    answer = _suggest(app, "away")
    assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
    assert "suggestion.failed" in app.events("away")
    assert app.get("/feed").status_code == 200
    assert _health(app) == (200, {"database": "ok", "voice": "error"})
    voice.start()
    assert _suggest(app).status_code == 200
    assert _health(app) == (200, {"database": "ok", "voice": "ok"})


@pytest.mark.req("J-06", "ERR-06", "LOG-18", "LOG-23")
def test_a_service_that_hangs_or_fails_is_told_apart_and_can_be_steered(postgres: Postgres, start: StartService) -> None:
    """Turned by its knobs at run time: failing is 502 with its code, hanging is 502 with `timeout`; then it works again."""
    voice = start("voice", VOICE_LATENCY_SECONDS="0")
    app = start("app", DATABASE_URL=postgres.url, VOICE_URL=voice.url, VOICE_TIMEOUT_SECONDS="5")

    def turn(**knobs: float | str) -> None:
        httpx.patch(f"{voice.url}/admin/knobs", json=knobs, trust_env=False).raise_for_status()

    turn(failure_share=1, failure_status=500, failure_code="no_gpu")
    failing = _suggest(app, "failing")
    turn(failure_share=0, hang_share=1)
    hanging = _suggest(app, "hanging")
    turn(hang_share=0)
    assert [(answer.status_code, answer.json().get("code")) for answer in (failing, hanging)] == [(502, "no_gpu"), (502, "timeout")]
    assert "suggestion.failed" in app.events("failing")
    assert "suggestion.timed_out" in app.events("hanging")
    assert voice.events("hanging")[-1] == "http.request.cancelled"
    assert _suggest(app).status_code == 200
