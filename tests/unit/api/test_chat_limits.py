"""The chat's limits, on a real server: whoever is too big, too fast, too slow, too quiet or too many is told so and costs nothing more."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.clients.chat_store import ChatStore
from tests.support.asgi import sample
from tests.support.chat import ChatClient, eventually, gauge_is, serving_chat

pytestmark = pytest.mark.anyio


def closed_with(code: str) -> float:
    """How many chat connections were closed with a code, so far."""
    return sample("websocket_closed_total", endpoint="/api/chat/ws", close_code=code)


async def counted_close(client: ChatClient, code: int, before: float) -> str:
    """Wait for that close, at the client and in the counter; the reason that the client was given."""
    found, reason = await client.closed()
    assert found == code
    await eventually(f"{code} being counted", lambda: closed_with(str(code)) == before + 1)
    return reason


async def test_a_message_beyond_the_bytes_of_a_websocket_closes_it_with_1009(tmp_path: Path) -> None:
    """The server reads no more than WEBSOCKET_MAX_BYTES of it."""
    async with serving_chat(tmp_path, websocket_max_bytes=2048) as server:
        before = closed_with("1009")
        client = await ChatClient.open(server.url, server.token(), "big-1")
        await client.say("message", id="1", text="x" * 3000)
        await counted_close(client, 1009, before)
        await gauge_is(0)
        assert server.one("big-1", "websocket.closed")["close_code"] == 1009


async def test_who_sends_too_fast_is_told_so_and_closed_with_4429_when_he_goes_on(tmp_path: Path) -> None:
    """Twice the rate may come at once; what is beyond is refused and counted, never delivered."""
    async with serving_chat(tmp_path, chat_messages_per_second=0.01) as server:
        before, refused = closed_with("4429"), sample("chat_messages_refused_total", reason="rate_limited")
        client = await ChatClient.open(server.url, server.token(), "fast-1")
        await client.post("m-0", "one is allowed")
        await client.say("message", id="m-1", text="x")
        answer = await client.hear("error")
        assert (answer["code"], answer["id"]) == ("rate_limited", "m-1")
        for number in range(2, 30):
            with suppress(ConnectionClosed):
                await client.say("message", id=f"m-{number}", text="x")
        await counted_close(client, 4429, before)
        events = await server.events("fast-1", "websocket.closed")
        assert events.count("chat.message.received") == 1
        assert sample("chat_messages_refused_total", reason="rate_limited") - refused == events.count("chat.message.refused") == 21


@pytest.mark.req("WSC-05")
async def test_a_reader_that_confirms_nothing_is_closed_as_too_slow_and_can_have_it_later(tmp_path: Path) -> None:
    """Its queue is bounded; the sender and the others go on; the missed messages are counted and come after a reconnect."""
    async with serving_chat(tmp_path, chat_queue_messages=4, chat_messages_per_second=100) as server:
        before, failed = closed_with("4408"), sample("chat_delivery_failures_total", reason="slow_reader")
        one = await ChatClient.open(server.url, server.token("ayse"))
        slow = await ChatClient.open(server.url, server.token("mehmet"), "slow-1", chat_id=one.chat_id)
        good = await ChatClient.open(server.url, server.token("zeynep"), chat_id=one.chat_id)
        acks = []
        for number in range(6):
            acks.append(await one.post(f"m-{number}", "x"))
            await good.hear("message")
        assert await counted_close(slow, 4408, before) == "slow_reader"
        assert await server.events("slow-1", "websocket.closed")
        assert server.one("slow-1", "chat.message.undelivered")["count"] == 4
        assert sample("chat_delivery_failures_total", reason="slow_reader") == failed + 4
        back = await ChatClient.open(server.url, server.token("mehmet"), chat_id=one.chat_id, after=acks[3]["message_id"])
        assert [(await back.hear("message"))["id"] for _ in range(2)] == [ack["message_id"] for ack in acks[4:]]


@pytest.mark.req("WSC-02")
async def test_a_reader_whose_pipe_is_full_is_cut_off_and_does_not_hold_the_others_up(tmp_path: Path) -> None:
    """It takes no byte from the network; its connection is given up within seconds, the close frame can't even be sent."""
    async with serving_chat(
        tmp_path, chat_queue_messages=3000, chat_messages_per_second=10_000, chat_message_chars=60_000, websocket_max_bytes=100_000
    ) as server:
        one = await ChatClient.open(server.url, server.token("ayse"))
        stuck = await ChatClient.connect(server.url, server.token("mehmet"), "stuck-1", max_queue=1)
        await stuck.say("hello", chat_id=one.chat_id)
        await server.events("stuck-1", "chat.joined")
        stuck.socket.transport.pause_reading()
        text = "x" * 60_000
        for number in range(400):
            await one.post(f"m-{number}", text)
        await gauge_is_soon(1)
        await server.events("stuck-1", "websocket.closed")
        closed = server.one("stuck-1", "websocket.closed")
        assert (closed["close_code"], closed["reason"]) == (4408, "slow_reader")
        await one.post("last", "still here")
        stuck.drop()


async def gauge_is_soon(number: int) -> None:
    """As gauge_is, with the time that the server gives a reader that takes nothing."""
    await eventually(f"gauge being {number}", lambda: sample("websocket_active_connections") == number, 30)


@pytest.mark.parametrize(
    ("settings", "greets", "reason"), [({"chat_hello_seconds": 0.2}, False, "no_hello"), ({"chat_idle_seconds": 0.3}, True, "idle")]
)
async def test_who_says_nothing_is_closed(tmp_path: Path, settings: dict[str, Any], greets: bool, reason: str) -> None:
    """Before the hello and after it: 4408 with the reason, in the close and in the record."""
    async with serving_chat(tmp_path, **settings) as server:
        before = closed_with("4408")
        client = await ChatClient.connect(server.url, server.token(), "quiet-1")
        if greets:
            await client.say("hello")
        assert await counted_close(client, 4408, before) == reason
        assert server.one("quiet-1", "websocket.closed")["reason"] == reason


async def test_who_connects_too_often_is_refused_in_the_handshake(tmp_path: Path) -> None:
    """429 with the id, as for any request; no socket is opened, so that a flood of connections costs next to nothing."""
    async with serving_chat(tmp_path, rate_limit_per_minute=1) as server:
        refused, gone = closed_with("refused"), closed_with("1006")
        answers = []
        for number in range(4):  # at most two of them fall into a minute that has just begun
            try:
                await ChatClient.connect(server.url, server.token(), f"often-{number}")
            except InvalidStatus as answer:
                answers.append((answer.response.status_code, json.loads(answer.response.body)["request_id"], f"often-{number}"))
        assert len(answers) >= 2
        assert all(status == 429 and told == ident for status, told, ident in answers)
        assert closed_with("refused") - refused == len(answers)
        assert closed_with("1006") == gone
        assert server.one(answers[0][1], "websocket.closed")["outcome"] == "refused"


async def test_pings_keep_a_quiet_client(tmp_path: Path) -> None:
    """A client that only pings is not idle."""
    async with serving_chat(tmp_path, chat_idle_seconds=4) as server:
        client = await ChatClient.open(server.url, server.token())
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 5:
            await asyncio.sleep(0.2)
            await client.say("ping")
            await client.hear("pong")


async def test_one_connection_too_many_is_turned_away_with_1013(tmp_path: Path) -> None:
    """Those who are in stay in; a place that becomes free can be had."""
    async with serving_chat(tmp_path, chat_connections=2) as server:
        before = closed_with("1013")
        first = await ChatClient.open(server.url, server.token())
        await ChatClient.open(server.url, server.token())
        late = await ChatClient.connect(server.url, server.token())
        assert await counted_close(late, 1013, before) == "too_many_connections"
        await first.close()
        await gauge_is(1)
        await ChatClient.open(server.url, server.token())


@pytest.mark.req("WSC-02", "WSC-06", "ERR-04")
async def test_a_fault_of_ours_closes_with_1011_and_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One ERROR record with the exception under the id, nothing of it to the client, the gauge right."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    async with serving_chat(tmp_path) as server:
        before = closed_with("1011")
        client = await ChatClient.open(server.url, server.token(), "fault-1")
        monkeypatch.setattr(ChatStore, "publish", broken)
        await client.say("message", id="m-1", text="x")
        assert await counted_close(client, 1011, before) == "server_fault"
        errors = [record for record in server.records() if record["level"] == "ERROR"]
        assert [(record["event"], record["error_type"], record["request_id"]) for record in errors] == [
            ("websocket.closed", "ZeroDivisionError", "fault-1")
        ]
        await gauge_is(0)


@pytest.mark.req("WSC-02")
async def test_a_stop_closes_everybody_with_1012_in_order(tmp_path: Path) -> None:
    """Each connection has its close frame and its record; what the gauge counted is gone; nothing waits for the time limit."""
    async with serving_chat(tmp_path) as server:
        clients = [await ChatClient.open(server.url, server.token(), f"stop-{number}") for number in range(3)]
        await gauge_is(3)
        server.server.should_exit = True
        assert [(await client.closed())[0] for client in clients] == [1012, 1012, 1012]
        for number in range(3):
            assert "websocket.closed" in await server.events(f"stop-{number}", "websocket.closed")
            assert server.one(f"stop-{number}", "websocket.closed")["close_code"] == 1012
        await gauge_is(0)


@pytest.mark.req("WSC-02", "HTM-05")
async def test_codes_that_clients_invent_make_no_series(tmp_path: Path) -> None:
    """They are in the record, and `other` in the counter; what a client gives as its reason is kept nowhere."""
    async with serving_chat(tmp_path) as server:
        before = closed_with("other")
        for code in (3999, 4401, 4999):
            client = await ChatClient.open(server.url, server.token(), f"own-{code}")
            await client.socket.close(code, "my private words")
            await server.events(f"own-{code}", "websocket.closed")
            assert server.one(f"own-{code}", "websocket.closed")["close_code"] == code
        assert closed_with("other") == before + 3
        assert closed_with("4999") == closed_with("3999") == 0
        assert "private" not in json.dumps(server.records())


@pytest.mark.req("WSC-02", "WSC-06")
async def test_three_open_then_one_killed_is_two(tmp_path: Path) -> None:
    """The row's own words: the gauge is right after an open, a hard end and an orderly one."""
    async with serving_chat(tmp_path) as server:
        clients: list[ChatClient] = [await ChatClient.open(server.url, server.token()) for _ in range(3)]
        await gauge_is(3)
        clients[0].drop()
        await gauge_is(2)
        await clients[1].close()
        await gauge_is(1)


async def test_a_peer_that_answers_no_ping_is_given_up(tmp_path: Path) -> None:
    """As after a lost network that nobody announces: at most two intervals later the gauge falls and the drop is recorded."""
    async with serving_chat(tmp_path, websocket_ping_seconds=1.5) as server:
        client = await ChatClient.open(server.url, server.token(), "dead-1")
        client.socket.transport.pause_reading()
        await gauge_is(0)
        closed = server.one("dead-1", "websocket.closed")
        assert (closed["close_code"], closed["level"]) == (1006, "WARNING")
        client.drop()


async def test_a_peer_that_vanished_with_a_full_pipe_is_let_go(tmp_path: Path) -> None:
    """The server would wait for it to take the rest: the connection is cut, and the gauge and the record say so."""
    async with serving_chat(
        tmp_path, websocket_ping_seconds=2, chat_queue_messages=3000, chat_messages_per_second=10_000, chat_message_chars=60_000
    ) as server:
        one = await ChatClient.open(server.url, server.token("ayse"))
        gone = await ChatClient.connect(server.url, server.token("mehmet"), "gone-1", max_queue=1)
        await gone.say("hello", chat_id=one.chat_id)
        await server.events("gone-1", "chat.joined")
        gone.socket.transport.pause_reading()
        for number in range(200):
            await one.post(f"m-{number}", "x" * 60_000)
        await gauge_is(1)
        await server.events("gone-1", "websocket.closed")
        assert server.one("gone-1", "websocket.closed")["close_code"] == 1006
        gone.drop()
