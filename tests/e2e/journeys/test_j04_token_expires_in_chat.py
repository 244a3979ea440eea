"""J-04: a token expires in the middle of a chat."""

import asyncio
import uuid

import httpx
import pytest

from tests.support.chat import ChatClient
from tests.support.chatting import is_nowhere, open_sockets, short_token, socket_url, told, tracked
from tests.support.expiry import ARRIVAL_SECONDS, EXPIRED, count, messages
from tests.support.sentry_sink import SentrySink
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user, sign_in
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

TEXT = "words-of-j04-that-nobody-logs"
LIVES_SECONDS = 20
"""Of the first token: a chat, two messages and a scrape must find room in it, on a busy machine too."""


@pytest.mark.req("J-04", "WSC-07", "WSC-08", "WSC-03", "WSC-02", "COR-12", "AUT-02", "AUT-03", "AUT-08", "ANA-03", "ANA-04", "BIZ-06")
def test_an_expiry_in_a_chat_is_one_story_under_one_id(
    world: RunningStack, stores: Stores, app: httpx.Client, error_events: SentrySink
) -> None:
    """Open, messages without text, expiry, close, new open: one search; the gauge is true; one expired token is counted."""
    ident = f"j04-{uuid.uuid4().hex[:12]}"
    user = new_user(app, "j04")
    url = socket_url(str(app.base_url))
    stores.caught_up()
    before, sockets = count(stores, EXPIRED), stores.value('sum(websocket_active_connections{service="app"})')
    token = short_token(world, user.user_id, LIVES_SECONDS)

    async def until_it_expires() -> ChatClient:
        client = await ChatClient.open(url, token, ident)
        await asyncio.to_thread(open_sockets, stores, sockets + 1)
        for number in range(2):
            await client.post(f"m-{number}", TEXT)
        assert await client.closed(3 * LIVES_SECONDS) == (4401, "token_expired")
        return client

    expired = asyncio.run(until_it_expires())
    open_sockets(stores, sockets)
    fresh = sign_in(app, user.name).json()["access_token"]

    async def after_the_login() -> None:
        client = await ChatClient.open(url, fresh, ident, chat_id=expired.chat_id, after=expired.cursor)
        await asyncio.to_thread(open_sockets, stores, sockets + 1)
        await client.post("m-2", TEXT)
        await client.close()

    asyncio.run(after_the_login())
    open_sockets(stores, sockets)
    records = told(stores, ident, "websocket.opened", "websocket.opened", "websocket.closed", "websocket.closed", "chat.message.received")
    records = [record for record in records if record["event"] != "db.query.slow"]  # such as a busy machine may have
    assert [record["event"] for record in records if record["level"] != "DEBUG"] == [
        "websocket.opened",
        "chat.started",
        "chat.joined",
        "chat.message.received",
        "chat.message.received",
        "token.expired",
        "websocket.closed",
        "websocket.opened",
        "chat.joined",
        "chat.message.received",
        "websocket.closed",
    ]
    (warning,) = [record for record in records if record["level"] == "WARNING"]
    assert (warning["event"], warning["user_id"]) == ("token.expired", user.user_id)
    closes = [(record["close_code"], record.get("reason")) for record in records if record["event"] == "websocket.closed"]
    assert closes == [(4401, "token_expired"), (1000, None)]
    assert {record.get("chat_id") for record in records} == {None, expired.chat_id}
    (told_event,) = wait_until("the error tracker's message", lambda: messages(error_events, ident, "Token expired"), ARRIVAL_SECONDS)
    assert (told_event["level"], told_event["user"]) == ("warning", {"id": user.user_id})
    events = tracked(stores, ident, "chat_start", "message_sent", "message_sent", "message_sent", "session_expired")
    assert len(events) == 5
    (start,) = [event for event in events if event["event_type"] == "chat_start"]
    assert start["properties"] == {"chat_id": expired.chat_id, "model": "gpt-4"}
    lengths = [event["properties"] for event in events if event["event_type"] == "message_sent"]
    assert lengths == [{"chat_id": expired.chat_id, "message_length": len(TEXT)}] * 3
    wait_until("one expired token being counted", lambda: count(stores, EXPIRED) == before + 1, ARRIVAL_SECONDS)
    is_nowhere(world, stores, [ident], TEXT, token, token.split(".")[2])
