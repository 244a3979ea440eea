"""J-02: a phone updates the profile with a token that has expired."""

import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.support.client import SimulatedClient
from tests.support.expiry import EXPIRED, Expiry, count, refusals
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import expired_token, new_user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ALERTS = 'ALERTS{alertname="AuthTokenErrors",alertstate="firing"}'


@pytest.mark.req(
    "J-02", "AUT-01", "AUT-02", "AUT-03", "AUT-04", "AUT-08", "AUT-09", "SEB-13", "BIZ-06", "BIZ-07", "C-31", "C-34", "PRV-01", "FLT-11"
)
def test_an_expired_token_is_found_by_its_id_on_both_sides(
    world: RunningStack, stores: Stores, app: httpx.Client, expiry: Expiry, phone: Callable[..., SimulatedClient]
) -> None:
    """401 with the id, one warning with the user, one message on each side, one count, no alert; the token is nowhere."""
    ident = f"tok12345-{uuid.uuid4().hex[:8]}"
    user = new_user(app, "j02")
    wait_until("quiet before the journey", lambda: not stores.query(ALERTS), 120)
    stores.caught_up()
    before, refused = count(stores, EXPIRED), count(stores, refusals("/api/profile"))
    token = expired_token(world, user.user_id)
    device = phone(token=token)
    action = device.act("PUT", "/api/profile", event_id=ident, json={"display_name": "New name"})
    expiry.seen_by_the_user(device, action)
    expiry.in_the_backends_log(ident, user.user_id)
    expiry.in_both_error_trackers(ident, user.user_id)
    expiry.counted_once(before, refused, "/api/profile")
    expiry.the_token_is_nowhere(ident, token)
    assert stores.query(ALERTS) == [], "one expired token is no alert"
    unchanged = app.get("/api/profile", headers=user.headers).json()
    assert unchanged["display_name"] == user.name
