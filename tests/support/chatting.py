"""People who chat on the running stack, and what of it is found in the stores."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from websockets.exceptions import WebSocketException

from app.domain.tokens import issue
from tests.support.chat import ChatClient
from tests.support.expiry import ARRIVAL_SECONDS
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import settings_of
from tests.support.waiting import wait_until

OPEN_SOCKETS: Final = 'sum(websocket_active_connections{service="app"})'
BACK_OFF: Final = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds between the attempts of a client that has lost its connection."""


def socket_url(http_url: str) -> str:
    """Where the chat is, for an address of the app or of a proxy in front of it."""
    return http_url.replace("http://", "ws://") + "/api/chat/ws"


def short_token(stack: RunningStack, user_id: str, seconds: float) -> str:
    """A token of a real user that the running app stops accepting after about so many seconds, its leeway included."""
    settings = settings_of(stack)
    return issue(settings, user_id, lifetime=timedelta(seconds=seconds - settings.jwt_leeway_seconds))


async def reconnect(
    url: str, token: str, ident: str, lost: ChatClient, on_failure: Callable[[], None] = lambda: None
) -> tuple[ChatClient, int]:
    """What a phone does after a drop: try again with growing pauses, under the same id, from where it stands.

    Returns the new connection and how many attempts it took. `on_failure` is told of each attempt that was in vain.
    """
    for attempt, pause in enumerate(BACK_OFF, start=1):
        try:
            return await ChatClient.open(url, token, ident, chat_id=lost.chat_id, after=lost.cursor), attempt
        except (OSError, WebSocketException, EOFError):
            on_failure()
            await asyncio.sleep(pause)
    raise AssertionError("the chat could not be reached again")


def open_sockets(stores: Stores, number: float) -> None:
    """Wait until Prometheus has this number of open WebSockets."""
    wait_until(f"the gauge being {number:g}", lambda: stores.value(OPEN_SOCKETS) == number, ARRIVAL_SECONDS)


def told(stores: Stores, ident: str, *events: str) -> list[dict[str, Any]]:
    """One search on the id: its records, once these events are among them as often as given."""

    def complete() -> list[dict[str, Any]]:
        records = stores.of_request(ident)
        found = [record.get("event") for record in records]
        return records if all(found.count(event) >= events.count(event) for event in events) else []

    return wait_until(f"the records of {ident} arriving", complete, ARRIVAL_SECONDS)


def tracked(stores: Stores, ident: str, *types: str) -> list[dict[str, Any]]:
    """The tracked events of the id, once these are among them as often as given."""

    def complete() -> list[dict[str, Any]]:
        events = stores.logs({"term": {"request_id": ident}}, "events-*")
        found = [event["event_type"] for event in events]
        return events if all(found.count(name) >= types.count(name) for name in types) else []

    return wait_until(f"the tracked events of {ident} arriving", complete, ARRIVAL_SECONDS)


def is_nowhere(stack: RunningStack, stores: Stores, idents: list[str], *secrets: str) -> None:
    """None of these texts in a record or tracked event of the ids, or in the output of the app."""
    places = [json.dumps(stores.logs({"term": {"request_id": ident}}, "logs-*,dead-*,events-*")) for ident in idents]
    places.append(stack.declared.paths.log_file("app").read_text(errors="replace"))
    assert [secret for secret in secrets if any(secret in place for place in places)] == []
