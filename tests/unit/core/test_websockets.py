"""What the middleware does for WebSockets of any application, message by message: ids, ends, faults, the gauge."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket

from app.core import context
from app.core.config import Settings, load_settings
from app.core.websockets import connection_of
from tests.support.asgi import run, sample, service
from tests.support.chat import eventually
from tests.support.records import spooled

LOST = {"type": "websocket.disconnect", "code": 1005}
"""What uvicorn says of a connection that broke off: no reason, unlike a close without a code."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A service with a spool of its own."""
    return load_settings(_env_file=None, spool_dir=tmp_path, log_stdout=False, health_interval_seconds=600)


def make_app() -> FastAPI:
    """A socket that does what it is told."""
    app = FastAPI()

    @app.websocket("/ws/{room}")
    async def ws(socket: WebSocket, room: str) -> None:
        if room == "fault":
            raise ZeroDivisionError("before the handshake is over")
        await socket.accept()
        async for text in socket.iter_text():
            if text.startswith("id "):
                await socket.send_text(connection_of(socket.scope).adopt(text[3:]))
            elif text == "hang":
                await asyncio.sleep(60)
            elif text == "fault":
                raise ZeroDivisionError("in the middle")
            else:
                await socket.send_text(str(context.request_id()))

    return app


def play(
    settings: Settings, *arriving: str | dict[str, Any], path: str = "/ws/1", send_fails: bool = False, ident: str = ""
) -> list[dict[str, Any]]:
    """One connection to which these messages come; what the server was given to send."""
    sent: list[dict[str, Any]] = []

    async def work() -> None:
        app = make_app()
        async with service(settings, app):
            incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            incoming.put_nowait({"type": "websocket.connect"})
            for message in arriving:
                incoming.put_nowait({"type": "websocket.receive", "text": message} if isinstance(message, str) else message)

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)
                if send_fails and message["type"] == "websocket.send":
                    raise OSError

            raw = [(b"x-event-id", ident.encode())] if ident else []
            scope = {"type": "websocket", "path": path, "headers": raw, "query_string": b"", "app": app, "subprotocols": []}
            scope["extensions"] = {"websocket.http.response": {}}
            task = asyncio.create_task(app(scope, incoming.get, send))  # type: ignore[arg-type]
            if "hang" in arriving:
                await eventually("the application having all messages", incoming.empty)
                task.cancel()
            await asyncio.gather(task, return_exceptions="hang" in arriving)

    run(work())
    return sent


def closed(settings: Settings) -> dict[str, Any]:
    """The one record of the end."""
    assert settings.spool_dir is not None
    (found,) = [record for record in spooled(settings.spool_dir) if record.get("event") == "websocket.closed"]
    return found


@pytest.mark.req("WSC-02", "WSC-04", "WSC-06")
@pytest.mark.parametrize(
    ("end", "code", "outcome", "level"),
    [
        ({"type": "websocket.disconnect", "code": 1000, "reason": ""}, 1000, "completed", "INFO"),
        ({"type": "websocket.disconnect", "code": 1005, "reason": ""}, 1005, "completed", "INFO"),
        (LOST, 1006, "dropped", "WARNING"),
        ({"type": "websocket.disconnect", "code": 1012}, 1012, "completed", "INFO"),
    ],
)
def test_each_end_has_its_code_and_a_drop_is_a_warning(
    settings: Settings, end: dict[str, Any], code: int, outcome: str, level: str
) -> None:
    """The gauge is back at zero, the close is counted under the route's template."""
    before = sample("websocket_closed_total", endpoint="/ws/{room}", close_code=str(code))
    play(settings, "x", end)
    record = closed(settings)
    assert (record["close_code"], record["outcome"], record["level"]) == (code, outcome, level)
    assert sample("websocket_closed_total", endpoint="/ws/{room}", close_code=str(code)) == before + 1
    assert sample("websocket_active_connections") == 0


@pytest.mark.req("WSC-04")
def test_a_client_that_is_gone_while_we_send_is_a_drop_and_no_error(settings: Settings) -> None:
    """The server's OSError is not a fault of the application."""
    play(settings, "x", LOST, send_fails=True)
    record = closed(settings)
    assert (record["close_code"], record["outcome"], record["level"]) == (1006, "dropped", "WARNING")
    assert sample("websocket_active_connections") == 0


@pytest.mark.req("WSC-06", "ERR-04")
def test_a_fault_in_the_handshake_is_a_500_with_the_id(settings: Settings) -> None:
    """The client learns the id, not the fault; one ERROR record."""
    head, body = play(settings, path="/ws/fault", ident="hand-1")
    assert (head["type"], head["status"]) == ("websocket.http.response.start", 500)
    assert (b"x-request-id", b"hand-1") in head["headers"]
    assert json.loads(body["body"]) == {"detail": "Internal Server Error", "request_id": "hand-1"}
    record = closed(settings)
    assert (record["outcome"], record["level"], record["error_type"]) == ("failed", "ERROR", "ZeroDivisionError")


@pytest.mark.req("WSC-02", "WSC-06")
def test_a_fault_in_the_middle_closes_with_1011(settings: Settings) -> None:
    """Told to the client, recorded once, not handed on to the server, which would record it again."""
    sent = play(settings, "fault")
    assert sent[-1] == {"type": "websocket.close", "code": 1011, "reason": "server_fault"}
    record = closed(settings)
    assert (record["close_code"], record["outcome"], record["level"], record["reason"]) == (1011, "failed", "ERROR", "server_fault")
    assert sample("websocket_active_connections") == 0


@pytest.mark.req("WSC-02")
def test_a_connection_that_the_server_gives_up_is_recorded(settings: Settings) -> None:
    """Cancelled at the end of the time to stop: the gauge falls and the record is there."""
    play(settings, "hang")
    assert closed(settings)["outcome"] == "cancelled"
    assert sample("websocket_active_connections") == 0


def test_unknown_paths_are_refused_and_make_no_series(settings: Settings) -> None:
    """One endpoint for all of them, and no open socket."""
    before = sample("websocket_closed_total", endpoint="unmatched", close_code="1000")
    for path in ("/a", "/b"):
        play(settings, path=path)
    assert sample("websocket_closed_total", endpoint="unmatched", close_code="1000") == before + 2
    assert settings.spool_dir is not None
    assert {record["outcome"] for record in spooled(settings.spool_dir) if record.get("event") == "websocket.closed"} == {"refused"}


@pytest.mark.req("COR-12", "COR-08")
@pytest.mark.parametrize(("header", "wanted", "used"), [("", "tab-1", "tab-1"), ("mine", "tab-1", "mine"), ("mine", "çay", "mine")])
def test_an_id_from_the_first_message_is_taken_only_where_none_came_before(settings: Settings, header: str, wanted: str, used: str) -> None:
    """The answer says which; later records have it."""
    sent = play(settings, f"id {wanted}", "x", LOST, ident=header)
    assert [message["text"] for message in sent if message["type"] == "websocket.send"] == [used, used]
    assert closed(settings)["request_id"] == used
