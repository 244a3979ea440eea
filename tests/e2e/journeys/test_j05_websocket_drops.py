"""J-05: a phone in a chat loses its network and comes back."""

import asyncio
import uuid

import httpx
import pytest

from tests.support.chat import ChatClient
from tests.support.chatting import OPEN_SOCKETS, is_nowhere, open_sockets, reconnect, socket_url, told, tracked
from tests.support.expiry import ARRIVAL_SECONDS
from tests.support.faultproxy import FaultProxy
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

TEXT = "words-of-j05-that-nobody-logs"
SENT = 'sum(chat_messages_total{service="app",direction="sent"})'
ERRORS = 'sum(log_records_emitted_total{service="app",log_level="error"})'


@pytest.mark.req("J-05", "WSC-02", "WSC-04", "WSC-05", "WSC-06", "COR-12", "FLT-12", "BIZ-06", "ANA-05")
def test_a_drop_and_a_return_are_one_story_under_one_id(world: RunningStack, stores: Stores, app: httpx.Client) -> None:
    """Drop and reconnect under one id, the gauge right, the message that did not get through sent again and delivered, no ERROR."""
    tail = uuid.uuid4().hex[:12]
    ident, peer_ident = f"j05-{tail}", f"j05-peer-{tail}"
    user, peer = new_user(app, "j05"), new_user(app, "j05-peer")
    wait_until("a gauge to compare with", lambda: stores.query(OPEN_SOCKETS), ARRIVAL_SECONDS)
    stores.caught_up()
    sockets = stores.value(OPEN_SOCKETS)
    errors = stores.value(ERRORS)
    direct = socket_url(str(app.base_url))
    with FaultProxy("127.0.0.1", world.port("app")) as network:
        asyncio.run(_journey(stores, network, direct, (user.access_token, ident), (peer.access_token, peer_ident), sockets))
    open_sockets(stores, sockets)
    records = told(stores, ident, "websocket.opened", "websocket.opened", "websocket.closed", "websocket.closed", "chat.message.delivered")
    records = [record for record in records if record["event"] != "db.query.slow"]  # such as a busy machine may have
    assert [record["event"] for record in records if record["level"] != "DEBUG"] == [
        "websocket.opened",
        "chat.started",
        "chat.joined",
        "chat.message.received",
        "chat.message.undelivered",
        "websocket.closed",
        "websocket.opened",
        "chat.joined",
        "chat.message.delivered",
        "chat.message.received",
        "websocket.closed",
    ]
    drop, end = [record for record in records if record["event"] == "websocket.closed"]
    assert (drop["close_code"], drop["outcome"], drop["level"], drop["user_id"]) == (1006, "dropped", "WARNING", user.user_id)
    assert (end["close_code"], end["outcome"], end["level"]) == (1000, "completed", "INFO")
    others = told(stores, peer_ident, "chat.message.delivered", "chat.message.delivered", "websocket.closed")
    sent = [record["message_id"] for record in records if record["event"] == "chat.message.received"]
    assert [record["message_id"] for record in others if record["event"] == "chat.message.delivered"] == sent
    tracked(stores, ident, "notification_not_received", "message_delivered", "message_sent", "message_sent")
    tracked(stores, peer_ident, "message_delivered", "message_delivered")
    assert not [record for record in (*records, *others) if record["level"] == "ERROR"]
    assert stores.value(ERRORS) - errors <= 1, "a drop is no reason for a flood of errors"
    is_nowhere(world, stores, [ident, peer_ident], TEXT)


async def _journey(stores: Stores, network: FaultProxy, direct: str, phone: tuple[str, str], peer: tuple[str, str], sockets: float) -> None:
    """The steps: chat, lose the network while a message comes in and one goes out, retry, come back, make up for both."""
    url = socket_url(network.url)
    client = await ChatClient.open(url, *phone)
    other = await ChatClient.open(direct, *peer, chat_id=client.chat_id)
    await client.post("m-1", TEXT)
    await other.hear("message")
    await asyncio.to_thread(open_sockets, stores, sockets + 2)
    await asyncio.to_thread(stores.caught_up)  # the first message is counted, so that the next rise is the second one's
    sent = stores.value(SENT)
    network.set_mode("black_hole")
    await client.say("message", id="m-2", text=TEXT)
    await other.post("o-1", TEXT)
    await asyncio.to_thread(wait_until, "the app sending into the void", lambda: stores.value(SENT) > sent, ARRIVAL_SECONDS)
    network.cut()  # what was on its way stays in the void
    network.set_mode("refuse")
    await asyncio.to_thread(open_sockets, stores, sockets + 1)
    back, attempts = await reconnect(url, *phone, client, on_failure=lambda: network.set_mode("pass"))
    assert attempts == 2
    missed = await back.hear("message")
    assert missed["text"] == TEXT
    ack = await back.post("m-2", TEXT)
    assert ack["repeated"] is False
    assert (await other.hear("message"))["id"] == ack["message_id"]
    await asyncio.to_thread(open_sockets, stores, sockets + 2)
    for one in (back, other, client):
        await one.close()
