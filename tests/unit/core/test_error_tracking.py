"""One event per error, with the id, masked; nothing at all without a DSN."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException

from app.core import context, error_tracking
from app.core.config import Settings, load_settings
from app.core.kit import Observability
from app.core.logger import get_logger
from tests.support.asgi import client_of, run
from tests.support.sentry_sink import SentrySink
from tests.support.waiting import wait_until

log = get_logger("tests.errors")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits at the end is sent, however busy the machine is."""
    monkeypatch.setattr(error_tracking, "SHUTDOWN_SECONDS", 60)


@pytest.fixture
def sink() -> Iterator[SentrySink]:
    """A receiver of error events."""
    with SentrySink() as receiver:
        yield receiver


def settings_for(tmp_path: Path, sink: SentrySink, **changes: Any) -> Settings:
    """Error tracking on, pointed at the receiver."""
    return load_settings(**{"spool_dir": tmp_path, "log_stdout": False, "sentry_dsn": sink.dsn, "health_interval_seconds": 600, **changes})


def make_app() -> FastAPI:
    """Handlers that fail in every way."""
    app = FastAPI()

    @app.get("/crash")
    async def crash() -> None:
        log.info("Step before the crash")
        raise ZeroDivisionError("division by zero with password=hunter2")

    @app.get("/logged")
    async def logged() -> None:
        try:
            raise ValueError("wrong")
        except ValueError:
            log.error("feed.failed", exc_info=True)
            raise

    @app.get("/status/{code}")
    async def status(code: int) -> None:
        raise HTTPException(code, "as asked")

    return app


def call(settings: Settings, *paths: str) -> None:
    """Request each path once, with the id abc123, and let everything be sent."""
    obs = Observability("app", settings)
    app = make_app()
    obs.install(app)

    async def work() -> None:
        async with client_of(app) as client:
            for path in paths:
                await client.get(path, headers={"X-Event-ID": "abc123", "User-Agent": "tests/1"})

    run(work())
    obs.close()


@pytest.mark.req("SEB-01", "SEB-02", "SEB-11", "SEB-23", "COR-09", "PRV-10", "ERR-01", "TST-04", "TST-06")
@pytest.mark.usefixtures("patient")
def test_a_crash_is_one_event_with_id_steps_and_user_agent_and_without_secrets(tmp_path: Path, sink: SentrySink) -> None:
    """Tag event_id, the INFO records before as breadcrumbs, the stack; masked, no local values."""
    call(settings_for(tmp_path, sink), "/crash")
    (event,) = wait_until("the event to arrive", lambda: sink.events)
    assert event["tags"]["event_id"] == "abc123"
    assert event["exception"]["values"][-1]["type"] == "ZeroDivisionError"
    assert event["contexts"]["request"]["user_agent"] == "tests/1"
    assert "Step before the crash" in [crumb["message"] for crumb in event["breadcrumbs"]["values"]]
    assert "hunter2" not in json.dumps({key: value for key, value in event.items() if key != "exception"})
    assert "hunter2" not in event["exception"]["values"][-1]["value"]
    assert '"vars"' not in json.dumps(event)


@pytest.mark.req("SEB-19", "SEB-14")
@pytest.mark.usefixtures("patient")
def test_an_error_that_is_logged_and_raised_on_is_one_event(tmp_path: Path, sink: SentrySink) -> None:
    """The data layer's ERROR record and the middleware's see the same exception: reported once."""
    call(settings_for(tmp_path, sink), "/logged")
    wait_until("the event to arrive", lambda: sink.events)
    assert len(sink.events) == 1


@pytest.mark.req("SEB-12", "LOG-30")
@pytest.mark.usefixtures("patient")
def test_status_codes_are_reported_as_the_settings_say(tmp_path: Path, sink: SentrySink) -> None:
    """By default 5xx answers, and no 4xx; with 403 listed, 403 too."""
    call(settings_for(tmp_path, sink), "/status/400", "/status/403", "/status/404", "/status/502")
    wait_until("the event to arrive", lambda: sink.events)
    assert len(sink.events) == 1
    call(settings_for(tmp_path, sink, sentry_failed_status_codes="403"), "/status/403", "/status/502")
    wait_until("the second event to arrive", lambda: len(sink.events) == 2)


@pytest.mark.req("SEB-05", "TST-03")
def test_without_a_dsn_nothing_is_sent_and_no_connection_made(tmp_path: Path, sink: SentrySink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kit runs the same, and opens no socket."""
    settings = settings_for(tmp_path, sink, sentry_dsn="")
    connections: list[Any] = []
    others = set(threading.enumerate()) - {threading.current_thread()}  # of tests before this one
    usual = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if threading.current_thread() in others:
            return usual(self, address)
        connections.append(address)
        return None

    monkeypatch.setattr(socket.socket, "connect", connect)
    call(settings, "/crash")
    assert sink.events == []
    assert connections == []


@pytest.mark.req("SEB-04", "SEB-06", "SEB-09")
@pytest.mark.usefixtures("patient")
def test_environment_and_release_come_from_the_settings(tmp_path: Path, sink: SentrySink) -> None:
    """Release is name@version."""
    settings = settings_for(
        tmp_path, sink, environment="staging", metrics_token="a-long-random-token", app_version="2.3.4", app_name="shop"
    )
    call(settings, "/crash")
    (event,) = wait_until("the event to arrive", lambda: sink.events)
    assert (event["environment"], event["release"]) == ("staging", "shop@2.3.4")


@pytest.mark.req("SEB-21")
@pytest.mark.timeout(30)
def test_a_black_hole_never_holds_anybody_up(tmp_path: Path, sink: SentrySink) -> None:
    """With a receiver that accepts and never answers, the process still ends in bounded time."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        call(settings_for(tmp_path, sink, sentry_dsn=f"http://key@127.0.0.1:{hole.getsockname()[1]}/1"), "/crash")


@pytest.mark.req("SEB-14", "SEB-17")
@pytest.mark.usefixtures("patient")
def test_messages_and_steps_can_be_reported_by_hand(tmp_path: Path, sink: SentrySink) -> None:
    """capture_message and add_breadcrumb, outside of requests too."""
    obs = Observability("app", settings_for(tmp_path, sink))

    async def work() -> None:
        with context.run("job"):
            error_tracking.begin_request(None)
            error_tracking.add_breadcrumb("auth", "signed in")
            error_tracking.capture_message("Token expired", level="warning", user_role="editor")
        await asyncio.sleep(0)

    run(work())
    obs.close()
    (event,) = wait_until("the event to arrive", lambda: sink.events)
    assert (event["message"], event["level"], event["tags"]["user_role"]) == ("Token expired", "warning", "editor")
    assert event["breadcrumbs"]["values"][-1]["category"] == "auth"
