"""The chat over WebSocket, on a real server: who gets in, what is passed on, what is told about it and what never is."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.asgi import sample
from tests.support.chat import ChatClient, ChatServer, eventually, gauge_is, serving_chat

pytestmark = pytest.mark.anyio

TEXT = "the-text-that-nobody-logs"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ChatServer]:
    """A backend of its own."""
    async with serving_chat(tmp_path) as running:
        yield running


def counted(name: str, **labels: str) -> float:
    """A counter of this process; take differences."""
    return sample(f"{name}_total", **labels)


@pytest.mark.req("WSC-01", "AUT-01", "WSC-06")
@pytest.mark.parametrize("way", ["header", "subprotocol", "first message"])
async def test_a_token_comes_in_the_header_as_subprotocol_or_in_the_first_message(server: ChatServer, way: str) -> None:
    """All three ways lead into the chat; the answer says who and where one is; no way leaves the token in a record."""
    token = server.token("ayse")
    handshake = {"header": {"token": token}, "subprotocol": {"token": token, "subprotocol": True}, "first message": {}}[way]
    hello = {"token": token} if way == "first message" else {}
    client = await ChatClient.connect(server.url, ident="in-1", **handshake)  # type: ignore[arg-type]
    await client.say("hello", **hello)
    answer = await client.hear("hello")
    assert (answer["user_id"], answer["request_id"], len(answer["chat_id"])) == ("ayse", "in-1", 32)
    assert client.socket.subprotocol == ("bearer" if way == "subprotocol" else None)
    assert client.socket.response is not None
    assert client.socket.response.headers["X-Request-ID"] == "in-1"
    await client.close()
    assert await server.events("in-1", "websocket.closed") == ["websocket.opened", "chat.started", "chat.joined", "websocket.closed"]
    closed = server.one("in-1", "websocket.closed")
    assert (closed["close_code"], closed["outcome"], closed["endpoint"], closed["user_id"]) == (1000, "completed", "/api/chat/ws", "ayse")
    assert closed["duration_ms"] > 0
    assert token not in json.dumps(server.records())


@pytest.mark.req("WSC-07", "AUT-02", "AUT-05", "AUT-08", "AUT-09")
@pytest.mark.parametrize(
    ("kind", "event", "user"), [("expired", "token.expired", "ayse"), ("forged", "token.invalid", None), ("none", "token.missing", None)]
)
async def test_without_a_valid_token_it_closes_with_4401_and_tells_why(server: ChatServer, kind: str, event: str, user: str | None) -> None:
    """One record under the id; the user is named only where the signature was genuine; the token is nowhere, not in the query either."""
    good = server.token("ayse", timedelta(hours=-1))
    token = {"expired": good, "forged": good[:-4] + "AAAA", "none": None}[kind]
    before = counted("auth_token_errors", reason={"forged": "invalid", "none": "missing"}.get(kind, kind))
    client = await ChatClient.connect(f"{server.url}?token={good}", token, ident="out-1")
    await client.say("hello")
    code, reason = await client.closed()
    assert code == 4401
    assert reason == event.replace(".", "_")
    assert await server.events("out-1", "websocket.closed") == ["websocket.opened", event, "websocket.closed"]
    assert server.one("out-1", event).get("user_id") == user
    assert server.one("out-1", "websocket.closed")["close_code"] == 4401
    assert counted("auth_token_errors", reason={"forged": "invalid", "none": "missing"}.get(kind, kind)) == before + 1
    assert good not in json.dumps(server.records())
    assert good[-20:] not in json.dumps(server.records())


@pytest.mark.req("COR-12", "COR-08", "WSC-03")
async def test_browsers_bring_their_id_in_the_first_message(server: ChatServer) -> None:
    """The session goes on under it, and the id that was made meanwhile leads to it."""
    client = await ChatClient.open(server.url, server.token(), subprotocol=True, event_id="tab-7")
    assert client.greeting["request_id"] == "tab-7"
    assert client.socket.response is not None
    made = client.socket.response.headers["X-Request-ID"]
    await client.post("1", TEXT)
    await client.close()
    assert await server.events("tab-7", "websocket.closed") == ["chat.started", "chat.joined", "chat.message.received", "websocket.closed"]
    assert await server.events(made, "websocket.identified") == ["websocket.opened", "websocket.identified"]
    assert server.one(made, "websocket.identified")["client_request_id"] == "tab-7"


@pytest.mark.req("COR-08", "COR-12")
@pytest.mark.parametrize(("ident", "in_header"), [("evil value", ""), ("other-1", "mine-1"), ("x" * 129, "")])
async def test_the_id_of_the_first_message_is_checked_and_does_not_beat_the_header(server: ChatServer, ident: str, in_header: str) -> None:
    """An unusable one is replaced and warned about, and never repeated; a second one is kept beside the first."""
    client = await ChatClient.open(server.url, server.token(), in_header, event_id=ident)
    used = client.greeting["request_id"]
    await client.close()
    await server.events(used, "websocket.closed")
    if in_header:
        assert used == in_header
        assert server.one(used, "chat.joined")["client_request_id"] == ident
    else:
        assert server.one(used, "http.request.id_rejected")["reason"] == "first message"
        assert ident not in json.dumps(server.records()) + str(client.greeting)


@pytest.mark.req("WSC-03", "WSC-05", "WSC-08", "COR-12", "ANA-03", "ANA-05", "BIZ-06")
async def test_a_message_reaches_the_others_and_leaves_lengths_but_no_text(server: ChatServer) -> None:
    """Sender and reader each have their own id on their own records, one message id joins them; four events are tracked."""
    events = ("chat_start", "message_sent", "message_delivered")
    before = {name: counted("tracked_events", event_type=name, source="backend") for name in events}
    one = await ChatClient.open(server.url, server.token("ayse"), "sender-1")
    two = await ChatClient.open(server.url, server.token("mehmet"), "reader-1", chat_id=one.chat_id)
    three = await ChatClient.open(server.url, server.token("zeynep"), "stranger-1")
    ack = await one.post("m-1", TEXT + "ğ")
    message = await two.hear("message")
    assert (message["id"], message["sender"], message["text"]) == (ack["message_id"], "ayse", TEXT + "ğ")
    assert await server.events("reader-1", "chat.message.delivered") == [
        "websocket.opened",
        "chat.joined",
        "chat.message.sent",
        "chat.message.delivered",
    ]
    for client in (one, two, three):
        await client.say("ping")
        await client.hear("pong")  # and nothing else came: neither the sender nor another chat got the message
    received, delivered = server.one("sender-1", "chat.message.received"), server.one("reader-1", "chat.message.delivered")
    assert received["bytes"] == len((TEXT + "ğ").encode())
    assert received["message_id"] == delivered["message_id"] == ack["message_id"]
    assert (received["user_id"], delivered["user_id"]) == ("ayse", "mehmet")
    assert {name: counted("tracked_events", event_type=name, source="backend") - before[name] for name in events} == {
        "chat_start": 2,
        "message_sent": 1,
        "message_delivered": 1,
    }
    for client in (one, two, three):
        await client.close()
    await gauge_is(0)
    assert TEXT not in "".join(path.read_text() for path in server.spool.rglob("*") if path.is_file())


@pytest.mark.req("WSC-04", "FLT-12")
async def test_a_message_that_is_sent_again_is_confirmed_again_and_delivered_once(server: ChatServer) -> None:
    """Also over a new connection after a drop: the same message id, marked as repeated."""
    one = await ChatClient.open(server.url, server.token("ayse"), "first-1")
    two = await ChatClient.open(server.url, server.token("mehmet"), chat_id=one.chat_id)
    first = await one.post("m-1", TEXT)
    one.drop()
    again = await ChatClient.open(server.url, server.token("ayse"), "first-1", chat_id=one.chat_id)
    second = await again.post("m-1", TEXT)
    other = await again.post("m-2", TEXT)
    assert (first["repeated"], second["repeated"], other["repeated"]) == (False, True, False)
    assert first["message_id"] == second["message_id"] != other["message_id"]
    assert [(await two.hear("message"))["id"] for _ in range(2)] == [first["message_id"], other["message_id"]]


@pytest.mark.req("WSC-02", "WSC-04", "WSC-05", "COR-12", "BIZ-06")
async def test_a_dropped_reader_gets_what_it_missed_when_it_comes_back(server: ChatServer) -> None:
    """The drop is a warning with 1006 under the id, the gauge falls, what was unconfirmed counts as missed; then it is delivered."""
    failed = counted("chat_delivery_failures", reason="connection_lost")
    missed = counted("tracked_events", event_type="notification_not_received", source="backend")
    one = await ChatClient.open(server.url, server.token("ayse"))
    two = await ChatClient.open(server.url, server.token("mehmet"), "phone-1", chat_id=one.chat_id)
    await one.post("m-1", TEXT)
    await two.hear("message")
    two.confirms = False
    second = await one.post("m-2", TEXT)
    await two.hear("message")
    await gauge_is(2)
    two.drop()
    await gauge_is(1)
    third = await one.post("m-3", TEXT)
    await server.events("phone-1", "websocket.closed")
    closed = server.one("phone-1", "websocket.closed")
    assert (closed["close_code"], closed["outcome"], closed["level"]) == (1006, "dropped", "WARNING")
    assert server.one("phone-1", "chat.message.undelivered")["count"] == 1
    assert counted("chat_delivery_failures", reason="connection_lost") == failed + 1
    assert counted("tracked_events", event_type="notification_not_received", source="backend") == missed + 1
    back = await ChatClient.open(server.url, server.token("mehmet"), "phone-1", chat_id=one.chat_id, after=two.cursor)
    assert [(await back.hear("message"))["id"] for _ in range(2)] == [second["message_id"], third["message_id"]]
    await gauge_is(2)
    delivered = await eventually(
        "both being delivered",
        lambda: len([1 for record in server.records("phone-1") if record.get("event") == "chat.message.delivered"]) == 3,
    )
    assert delivered
    assert not [record for record in server.records() if record["level"] == "ERROR"]


@pytest.mark.req("WSC-07", "AUT-02", "AUT-03")
async def test_a_session_ends_with_its_token_even_when_nobody_says_anything(server: ChatServer) -> None:
    """4401 by the timer, a warning with id and user, one count, the gauge back; a session with a renewed token goes on."""
    before = counted("auth_token_errors", reason="expired")
    gone = counted("tracked_events", event_type="session_expired", source="backend")
    renewed = await ChatClient.open(server.url, server.soon_expired("mehmet", 8), "exp-2")
    await renewed.say("renew", token=server.token("mehmet"))
    assert (await renewed.hear("renewed"))["expires_at"] > renewed.greeting["expires_at"]
    client = await ChatClient.open(server.url, server.soon_expired("ayse", 8), "exp-1")
    assert await client.closed(30) == (4401, "token_expired")
    await gauge_is(1)
    warning = server.one("exp-1", "token.expired")
    assert (warning["level"], warning["user_id"]) == ("WARNING", "ayse")
    assert server.one("exp-1", "websocket.closed")["reason"] == "token_expired"
    assert counted("auth_token_errors", reason="expired") == before + 1
    assert counted("tracked_events", event_type="session_expired", source="backend") == gone + 1
    await renewed.post("m-1", TEXT)
    await renewed.say("renew", token=server.token("ayse"))
    assert await renewed.closed() == (4401, "another_user")


@pytest.mark.req("WSC-01")
async def test_both_paths_and_the_rest_endpoints(server: ChatServer) -> None:
    """/chat/ws is the same chat; POST /api/chat begins one, GET tells the limits; both need a token."""
    base = server.url.replace("ws://", "http://").removesuffix("/api/chat/ws")
    headers = {"Authorization": f"Bearer {server.token()}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as http:
        started = await http.post("/api/chat", json={"model": "gpt-4"}, headers={"X-Event-ID": "rest-1"})
        assert started.status_code == 201
        limits = (await http.get("/chat")).json()
        assert (await http.get("/api/chat", headers={"Authorization": ""})).status_code == 401
        assert (await http.post("/api/chat", json={"model": "a b"})).status_code == 400
    assert limits["websocket"] == started.json()["websocket"] == "/api/chat/ws"
    client = await ChatClient.open(f"{base.replace('http', 'ws')}/chat/ws", server.token(), chat_id=started.json()["chat_id"])
    assert client.chat_id == started.json()["chat_id"]
    assert "chat.started" in await server.events("rest-1", "http.request.completed")


@pytest.mark.req("WSC-01")
async def test_a_chat_needs_a_hello_first_and_once(server: ChatServer) -> None:
    """Something else first closes with 4400; a second hello is an error, and the session goes on."""
    rude = await ChatClient.connect(server.url, server.token())
    await rude.say("ping")
    assert await rude.closed() == (4400, "bad_hello")
    client = await ChatClient.open(server.url, server.token())
    await client.say("hello")
    assert (await client.hear("error"))["code"] == "invalid"
    await client.post("m-1", TEXT)


async def _refused(client: ChatClient, document: str | bytes) -> dict[str, Any]:
    await client.socket.send(document)
    return await client.hear("error")


@pytest.mark.req("PRV-01")
async def test_bad_documents_are_answered_without_quoting_them_and_not_for_ever(server: ChatServer) -> None:
    """No JSON, unknown types, additional or missing fields, wrong types: an error each; after a row of them 4400."""
    client = await ChatClient.open(server.url, server.token(), "bad-1")
    bad: list[str | bytes] = [
        "{",
        "[]",
        "7",
        '{"type":"who"}',
        '{"type":"message","id":"1"}',
        '{"type":"message","id":"1","text":7}',
        b"\xff\xfe",
    ]
    bad.append(json.dumps({"type": "message", "id": "no spaces", "text": TEXT}))
    bad.append(json.dumps({"type": "message", "id": "1", "text": "x" * 4001}))
    for document in bad:
        answer = await _refused(client, document)
        assert answer["code"] == "invalid"
        assert TEXT not in answer["detail"]
    for _ in range(30):
        with suppress(ConnectionClosed):
            await client.socket.send("{")
    assert await client.closed() == (4400, "invalid")
    await server.events("bad-1", "websocket.closed")
    assert TEXT not in json.dumps(server.records())
