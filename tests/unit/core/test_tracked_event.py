"""What an event may hold when it is stored."""

import datetime as dt
import json
import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.config import load_settings
from app.core.pseudonyms import Pseudonyms
from app.core.telemetry.events import EVENTS
from app.core.telemetry.tracked import PROPERTIES, TRACKED
from app.core.tracked_event import EventMaker, TrackedEvent, clean_properties, clean_value
from tests.support.tracked import KEY, make_event

PERSONAL = ("ada.lovelace@example.org", "Ada Lovelace", "8.8.8.8", "192.168.0.17", "2001:db8::7", "+90 532 111 22 33", "0532-111-22-33")
NOW = dt.datetime(2026, 11, 22, 2, 15, 4, 123456, dt.UTC)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(PERSONAL) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
metadata = st.dictionaries(st.text() | st.sampled_from(sorted(PROPERTIES)), anything, max_size=40)


def _make(
    event_type: str, properties: dict[Any, Any], *, user_id: object = "7", max_bytes: int = 1024, request_id: str | None = "r1"
) -> TrackedEvent:
    maker = EventMaker("app", Pseudonyms(load_settings(analytics_key=KEY)), max_bytes)
    return maker.make(str(uuid.uuid4()), user_id, event_type, properties, time=NOW, source="backend", request_id=request_id)[0]


@pytest.mark.req("PRV-08", "PRV-07", "ANA-07", "ANA-11")
@given(event_type=st.sampled_from(sorted(TRACKED)), properties=metadata)
@example("message_sent", {"chat_id": "ada.lovelace@example.org", "email": "ada.lovelace@example.org", "model": "8.8.8.8"})
@example("login", {"method": "Ada Lovelace", "platform": "+90 532 111 22 33", "outcome": "0532-111-22-33"})
def test_no_metadata_makes_an_event_long_or_personal(event_type: str, properties: dict[str, Any]) -> None:
    """Whatever callers pass: one line of JSON under 1 KB, declared properties of the declared types only, nothing of a person."""
    event = _make(event_type, properties)
    document = json.loads(event.line)
    assert event.line.count(b"\n") == 1
    assert len(event.line) <= 1024
    assert set(document["properties"]) <= set(TRACKED[event_type].properties)
    assert document["properties"] == event.properties
    for name, value in event.properties.items():
        assert clean_value(PROPERTIES[name][0], value) == (value, "")
    assert not [text for text in PERSONAL if text in event.line.decode()]


@pytest.mark.req("PRV-08")
@pytest.mark.parametrize("text", PERSONAL)
@pytest.mark.parametrize("name", ["chat_id", "model"])
def test_personal_data_in_a_declared_property_is_taken_out(name: str, text: str) -> None:
    """E-mail addresses, names with a space, IP addresses of any network and telephone numbers don't fit any property; the rest stays."""
    event = _make("message_sent", {name: text, "message_length": 3})
    assert event.properties == {"message_length": 3}


@pytest.mark.req("ANA-04")
def test_declared_properties_are_stored_unchanged() -> None:
    """The properties that the source documents name: chat_id, message_length, model, size."""
    assert make_event(chat_id="c-7", message_length=42).properties == {"chat_id": "c-7", "message_length": 42}
    assert make_event("chat_start", model="gpt-4").properties == {"model": "gpt-4"}
    assert make_event("image_generated", model="flux", size="1024x1024").properties == {"model": "flux", "size": "1024x1024"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"chat_id": 7}, ""),
        ({"chat_id": True}, "wrong_type"),
        ({"chat_id": "x" * 65}, "wrong_type"),
        ({"chat_id": "4111 1111 1111 1111"}, "personal"),
        ({"message_length": True}, "wrong_type"),
        ({"message_length": 1.5}, "wrong_type"),
        ({"message_length": 5321112233}, "wrong_type"),
        ({"message_length": None}, ""),
        ({"text": "hello"}, "undeclared"),
        ({7: "x"}, "undeclared"),
    ],
)
def test_what_is_taken_out_is_counted_by_reason(value: dict[Any, Any], reason: str) -> None:
    """Wrong types, personal data and undeclared names each have a reason of their own."""
    _, removed = clean_properties("message_sent", value)
    assert dict(removed) == ({reason: 1} if reason else {})


@pytest.mark.req("ANA-11")
def test_an_event_that_is_too_long_loses_properties_not_itself() -> None:
    """What doesn't fit ANALYTICS_MAX_EVENT_BYTES is left out from the end, and counted."""
    maker = EventMaker("a" * 300, Pseudonyms(load_settings(analytics_key=KEY)), 768)
    properties = dict.fromkeys(("chat_id", "model", "platform", "app_version"), "x" * 64)
    event, removed = maker.make(str(uuid.uuid4()), "7", "chat_start", properties, time=NOW, source="backend", request_id="r" * 128)
    assert len(event.line) <= 768
    assert removed["size"] == 4 - len(event.properties) > 0


@pytest.mark.req("ANA-09", "ANA-11", "SHP-06")
def test_the_line_has_the_one_schema_and_begins_like_a_record() -> None:
    """Name, user reference, properties, time, correlation id, source; the shipper needs the time first."""
    event = _make("login", {"outcome": "success"})
    assert event.line.startswith(b'{"timestamp":"2026-11-22T02:15:04.123456Z",')
    assert json.loads(event.line) == {
        "timestamp": "2026-11-22T02:15:04.123456Z",
        "id": event.id,
        "event_type": "login",
        "priority": "critical",
        "source": "backend",
        "service_name": "app",
        "user_ref": event.user_ref,
        "key_id": event.key_id,
        "request_id": "r1",
        "properties": {"outcome": "success"},
    }


@pytest.mark.parametrize("ident", ["8.8.8.8", "ada@example.org", "x" * 129, "", "a b"])
def test_a_correlation_id_that_is_none_is_left_out(ident: str) -> None:
    """What doesn't look like a request id, or looks like an address, isn't stored as one."""
    assert _make("login", {}, request_id=ident).request_id is None


@pytest.mark.req("ANA-12")
def test_every_declared_event_has_a_reason_and_known_properties() -> None:
    """Nothing is tracked without saying why; a linked log event exists."""
    for tracked in TRACKED.values():
        assert tracked.reason.endswith(".")
        assert set(tracked.properties) <= set(PROPERTIES)
        assert not tracked.log_event or tracked.log_event in EVENTS, tracked.name
    assert {name for tracked in TRACKED.values() for name in tracked.properties} == set(PROPERTIES)


@pytest.mark.req("ANA-03", "ANA-05", "C-37", "BIZ-05")
def test_the_events_of_the_source_documents_are_declared() -> None:
    """The names of the product's analytics, the workflow events, and a start for each critical flow."""
    assert {"login", "chat_start", "message_sent", "image_generated"} <= set(TRACKED)
    assert {"feed_load_failed", "suggestion_unavailable", "session_expired", "message_delivered", "notification_not_received"} <= set(
        TRACKED
    )
    assert {"comment_submitted", "login", "payment", "post_created"} <= set(TRACKED)
    assert {"login_started", "payment_started", "post_started"} <= set(TRACKED)
