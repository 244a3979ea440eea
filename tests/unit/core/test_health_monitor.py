"""Each check has its time limit, none hides another, outsiders learn nothing."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.core.config import Settings, load_settings
from app.core.kit import Observability
from tests.support.asgi import client_of, run, sample
from tests.support.chat import eventually
from tests.support.records import spooled

TOKEN = "a-long-random-token"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """No cache, so that each call looks anew, and a short time limit."""
    return load_settings(
        spool_dir=tmp_path,
        log_stdout=False,
        metrics_token=TOKEN,
        health_cache_seconds=0,
        health_timeout_seconds=0.2,
        health_interval_seconds=600,
        health_disk_percent=100,
        health_memory_percent=100,
    )


async def good() -> None:
    """A dependency that works."""


async def bad() -> None:
    """A dependency that doesn't."""
    raise ConnectionError("connect to db.internal:5432 as nobet with password=hunter2 failed")


async def frozen() -> None:
    """A dependency that never answers."""
    await asyncio.sleep(60)


def ask(settings: Settings, *, token: str | None = None, **checks: object) -> httpx.Response:
    """The health answer with these checks registered."""
    obs = Observability("app", settings)
    for name, check in checks.items():
        obs.health.register(name, check)  # type: ignore[arg-type]
    app = FastAPI()
    obs.install(app)

    async def work() -> httpx.Response:
        async with client_of(app) as client:
            return await client.get("/api/health", headers={"Authorization": f"Bearer {token}"} if token else {})

    answer: httpx.Response = run(work())
    obs.close()
    return answer


@pytest.mark.req("HLT-01", "HLT-03")
def test_all_well_is_200(settings: Settings) -> None:
    """Status ok, each check ok; disk and memory are always looked at."""
    answer = ask(settings, database=good, redis=good)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"disk": "ok", "memory": "ok", "database": "ok", "redis": "ok"}}


@pytest.mark.req("HLT-01", "HLT-04", "HLT-06", "PRV-14", "TST-10")
def test_failures_are_all_named_and_outsiders_see_no_reason(settings: Settings) -> None:
    """503, both failures reported, nothing about hosts, users or drivers."""
    answer = ask(settings, database=bad, redis=bad, voice=good)
    assert answer.status_code == 503
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"] == {
        "disk": "ok",
        "memory": "ok",
        "database": "error: unavailable",
        "redis": "error: unavailable",
        "voice": "ok",
    }
    assert "db.internal" not in answer.text


@pytest.mark.req("HLT-06")
def test_authorised_callers_see_the_reason_masked(settings: Settings) -> None:
    """With the token the exception's text is there, without its password."""
    answer = ask(settings, token=TOKEN, database=bad)
    assert answer.json()["checks"]["database"].startswith("error: ConnectionError: connect to db.internal")
    assert "hunter2" not in answer.text
    assert "db.internal" not in ask(settings, token="wrong-token", database=bad).text


@pytest.mark.req("HLT-05")
def test_a_frozen_dependency_is_given_up_at_its_limit(settings: Settings) -> None:
    """The answer comes, and says which check took too long."""
    answer = ask(settings, token=TOKEN, database=frozen, redis=good)
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "error: no answer within 0.2 s"
    assert answer.json()["checks"]["redis"] == "ok"


def test_an_optional_dependency_does_not_make_the_service_unhealthy(settings: Settings) -> None:
    """HEALTH_REQUIRED decides; the failure is shown all the same."""
    answer = ask(settings, voice=bad)
    assert answer.status_code == 200
    assert answer.json()["checks"]["voice"] == "error: unavailable"


@pytest.mark.req("HLT-07", "COR-22", "ALR-18")
def test_states_are_metrics_and_changes_are_recorded_once(settings: Settings) -> None:
    """A gauge per dependency; one record per change, however often it is looked at."""
    obs = Observability("app", settings)
    state = {"check": bad}

    async def check() -> None:
        await state["check"]()

    obs.health.register("database", check)

    async def work() -> None:
        await obs.health.report()
        await obs.health.report()
        assert sample("dependency_up", dependency="database") == 0
        state["check"] = good
        await obs.health.report()
        assert sample("dependency_up", dependency="database") == 1

    run(work())
    obs.close()
    assert settings.spool_dir is not None
    changes = [(record["level"], record["outcome"]) for record in spooled(settings.spool_dir) if record.get("event") == "health.changed"]
    assert changes == [("WARNING", "failed"), ("INFO", "recovered")]


@pytest.mark.req("ACC-01", "HTM-06")
def test_metrics_need_the_token(settings: Settings) -> None:
    """Without it 401, with it 200, on both paths, without a redirect."""
    obs = Observability("app", settings)
    app = FastAPI()
    obs.install(app)

    async def work() -> None:
        async with client_of(app) as client:
            for path in ("/metrics", "/metrics/"):
                assert (await client.get(path)).status_code == 401
                assert (await client.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401
                answer = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
                assert answer.status_code == 200
                assert "system_cpu_usage_percent" in answer.text

    run(work())
    obs.close()


@pytest.mark.req("HLT-03")
def test_a_full_disk_or_memory_fails_its_check(settings: Settings) -> None:
    """The limits are settings; below what is in use now, the checks fail."""
    answer = ask(settings.model_copy(update={"health_disk_percent": 0.001, "health_memory_percent": 0.001}), token=TOKEN)
    assert "% of the disk is in use" in answer.json()["checks"]["disk"]
    assert "% of the memory is in use" in answer.json()["checks"]["memory"]


@pytest.mark.req("HLT-03", "HLT-06", "PRV-14")
def test_addresses_are_asked_and_their_failures_hidden(settings: Settings) -> None:
    """Elasticsearch and external services: any answer below 500 will do, 401 too; outsiders see neither status nor address."""
    statuses = {"/": 401, "/well": 200, "/broken": 503}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[self.path])
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_port}"
        asking = settings.model_copy(
            update={
                "health_timeout_seconds": 30,
                "health_elasticsearch_url": home,
                "health_external_urls": [f"well={home}/well", f"broken={home}/broken", "gone=http://127.0.0.1:9/"],
            }
        )
        inside = ask(asking, token=TOKEN)
        outside = ask(asking)
        server.shutdown()
    assert inside.status_code == 200, "addresses are informational unless HEALTH_REQUIRED names them"
    checks = inside.json()["checks"]
    assert (checks["elasticsearch"], checks["well"]) == ("ok", "ok")
    assert checks["broken"] == "error: CheckFailedError: it answered 503"
    assert checks["gone"].startswith("error: ConnectError")
    assert {outside.json()["checks"][name] for name in ("broken", "gone")} == {"error: unavailable"}
    required = asking.model_copy(update={"health_required": ["gone"]})
    assert ask(required).status_code == 503


@pytest.mark.req("HLT-01", "HLT-02", "ERR-09")
def test_every_path_gives_the_same_answer_without_a_redirect(settings: Settings) -> None:
    """/api/health, /health and /health/ are one: external monitors follow no redirect, and none may be cached."""
    obs = Observability("app", settings)
    obs.health.register("redis", bad)
    app = FastAPI()
    obs.install(app)

    async def work() -> None:
        async with client_of(app) as client:
            answers = [await client.get(path) for path in ("/api/health", "/health", "/health/", "/health/ready")]
            assert {answer.status_code for answer in answers} == {503}
            assert len({answer.text for answer in answers}) == 1
            assert all(answer.headers["cache-control"] == "no-store" for answer in answers)

    run(work())
    obs.close()


@pytest.mark.req("HLT-05")
def test_callers_share_one_round_of_checks(settings: Settings) -> None:
    """A hundred calls at once, or within the cache time, ask the dependency once."""
    asked = 0

    async def slow() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.02)

    obs = Observability("app", settings.model_copy(update={"health_cache_seconds": 60}))
    obs.health.register("database", slow)

    async def work() -> None:
        reports = await asyncio.gather(*(obs.health.report() for _ in range(100)))
        assert len({id(report) for report in reports}) == 1

    run(work())
    obs.close()
    assert asked == 1


@pytest.mark.req("HLT-03", "COR-22")
def test_the_monitor_looks_on_its_own_and_each_round_has_an_id(settings: Settings) -> None:
    """Nobody calls /health; the monitor notices all the same, under an id of its own for each round, and counts the change."""
    obs = Observability("app", settings.model_copy(update={"health_interval_seconds": 0.02}))
    before = sample("dependency_changes_total", dependency="watched", outcome="failed")
    obs.health.register("watched", bad)

    folder = settings.spool_dir
    assert folder is not None

    async def work() -> None:
        looking = asyncio.create_task(obs.health.run())
        try:
            await eventually("two rounds", lambda: sum(record.get("event") == "health.checked" for record in spooled(folder)) > 1)
        finally:
            looking.cancel()
            await asyncio.wait({looking})

    run(work())
    obs.close()
    rounds = [record for record in spooled(folder) if record.get("component") == "health_monitor"]
    assert len({record["request_id"] for record in rounds}) == len([record for record in rounds if record["event"] == "health.checked"]) > 1
    assert sample("dependency_changes_total", dependency="watched", outcome="failed") == before + 1
