"""J-03: a phone renews its password with a token that has expired, and signs in again."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.client import SimulatedClient
from tests.support.expiry import ARRIVAL_SECONDS, EXPIRED, Expiry, count, refusals
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import PASSWORD, expired_token, new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

NEXT = "another-long-password"


@pytest.mark.req("J-03", "AUT-06", "AUT-02", "AUT-03", "AUT-07", "AUT-08", "LOG-20", "PRV-01")
def test_a_renewal_with_an_expired_token_ends_in_a_new_login(
    world: RunningStack, stores: Stores, app: httpx.Client, expiry: Expiry, phone: Callable[..., SimulatedClient]
) -> None:
    """As J-02 for the renewal; then the login stands under the same id, later, and the renewal succeeds."""
    ident = f"zyx456-{uuid.uuid4().hex[:8]}"
    user = new_user(app, "j03")
    stores.caught_up()
    before, refused = count(stores, EXPIRED), count(stores, refusals("/api/auth/password"))
    token = expired_token(world, user.user_id)
    device = phone(token=token)
    renewal = {"old_password": PASSWORD, "new_password": NEXT}
    action = device.act("POST", "/api/auth/password", event_id=ident, json=renewal)
    expiry.seen_by_the_user(device, action)
    expiry.in_the_backends_log(ident, user.user_id)
    expiry.in_both_error_trackers(ident, user.user_id)
    expiry.counted_once(before, refused, "/api/auth/password")

    login = device.act("POST", "/api/auth/login", event_id=ident, json={"username": user.name, "password": PASSWORD})
    assert login.status == 200
    device.token = login.body["access_token"]
    assert device.act("POST", "/api/auth/password", event_id=ident, json=renewal).status == 204

    def story() -> list[dict[str, Any]]:
        records = stores.of_request(ident)
        return records if {"user_login", "password.changed"} <= {record["event"] for record in records} else []

    records = wait_until("the renewal arriving", story, ARRIVAL_SECONDS)
    told = [record["event"] for record in records if record["event"] in ("token.expired", "user_login", "password.changed")]
    assert told == ["token.expired", "user_login", "password.changed"]
    assert {record["user_id"] for record in records if record["event"] in told} == {user.user_id}
    expiry.the_token_is_nowhere(ident, token)
    expiry.the_token_is_nowhere(ident, device.token)
    whole = str(records)
    assert PASSWORD not in whole
    assert NEXT not in whole
