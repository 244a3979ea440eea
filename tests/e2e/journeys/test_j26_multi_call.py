"""J-26: an update of the profile makes three calls under one id."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.client import SimulatedClient
from tests.support.expiry import ARRIVAL_SECONDS
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


@pytest.mark.req("J-26", "COR-16", "AUT-01", "PRV-02")
def test_three_calls_of_one_flow_are_one_search(stores: Stores, app: httpx.Client, phone: Callable[..., SimulatedClient]) -> None:
    """The phone reads the profile, writes it and reads it again: one search by the id shows all three in order, each ended once."""
    ident = f"j26-{uuid.uuid4().hex[:8]}"
    user = new_user(app, "j26")
    device = phone(token=user.access_token)
    update = {"display_name": "Gece Nöbetçisi", "email": "nobetci@example.org"}
    calls = [
        device.act("GET", "/api/profile", event_id=ident),
        device.act("PUT", "/api/profile", event_id=ident, json=update),
        device.act("GET", "/api/profile", event_id=ident),
    ]
    assert [call.status for call in calls] == [200, 200, 200]
    assert [call.headers["x-request-id"] for call in calls] == [ident] * 3
    assert calls[2].body | update == calls[2].body

    def ends() -> list[dict[str, Any]]:
        return [record for record in stores.of_request(ident) if record["event"] == "http.request.completed"]

    wait_until("the three calls arriving", lambda: len(ends()) == 3, ARRIVAL_SECONDS)
    assert [(record["method"], record["path"], record["status_code"]) for record in ends()] == [
        ("GET", "/api/profile", 200),
        ("PUT", "/api/profile", 200),
        ("GET", "/api/profile", 200),
    ]
    records = stores.of_request(ident)
    assert [record["timestamp"] for record in records] == sorted(record["timestamp"] for record in records)
    assert {record["user_id"] for record in ends()} == {user.user_id}
    (updated,) = [record for record in records if record["event"] == "profile.updated"]
    assert ends()[0]["timestamp"] < updated["timestamp"] < ends()[1]["timestamp"]
    assert "Nöbetçisi" not in str(records)
    assert "example.org" not in str(records)
