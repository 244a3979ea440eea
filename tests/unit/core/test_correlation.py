"""Ids are taken when they are safe, made when they aren't, and never echoed raw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.context import new_id
from app.core.correlation import VALID_ID, Correlator, call_sid_of, is_valid_id

HEADERS = ["X-Event-ID", "X-Request-ID", "X-Correlation-ID"]
read = Correlator(HEADERS).read


@pytest.mark.req("COR-01", "COR-02", "COR-07")
@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", ["abc123", "zyx456", "tok12345", "A-b_c.9", "x" * 128])
def test_a_safe_id_is_kept_unchanged(name: str, value: str) -> None:
    """Short ids that are no UUIDs included, from each of the headers."""
    found = read([(name.lower().encode(), value.encode())])
    assert found.request_id == value
    assert found.rejected is None


@pytest.mark.req("COR-01", "COR-20")
def test_a_missing_id_is_made() -> None:
    """A fresh UUID each time, and no duplicate among many."""
    assert read([]).request_id != read([]).request_id
    assert len({new_id() for _ in range(100_000)}) == 100_000


@pytest.mark.req("COR-08")
@pytest.mark.parametrize(
    "value", [b"", b" ", b"a b", b"a\r\nSet-Cookie: x", b"x" * 129, b"y" * 65536, "ğ".encode(), b"a;b", b"\x1b[31m", b"\xff"]
)
def test_an_unusable_id_is_replaced_and_named(value: bytes) -> None:
    """A new id, and the header's name for the warning; the value is nowhere in the outcome."""
    found = read([(b"x-event-id", value)])
    assert found.rejected == "x-event-id"
    assert found.request_id.encode() != value
    assert VALID_ID.fullmatch(found.request_id.encode())
    assert found.client_request_id is None


@pytest.mark.req("COR-08")
@pytest.mark.parametrize(
    "value",
    ["sk_live_abcdefgh12345678", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2ln", "4111111111111111", "4111-1111-1111-1111", "8.8.8.8"],
)
def test_a_secret_is_no_id(value: str) -> None:
    """A client that puts its key or a card into the header doesn't get it into every record: as id, second id, or id of a call."""
    found = read([(b"x-event-id", value.encode()), (b"x-request-id", b"good")])
    assert (found.request_id, found.client_request_id, found.rejected) == ("good", None, "x-event-id")
    assert not is_valid_id(value)
    assert call_sid_of("/feed", value.encode()) is None


@pytest.mark.parametrize("value", ["1795331628172135", "4111111111111112", "20261122071306", "1.2.3", "10.0.0.1", "sku-1234567"])
def test_an_id_that_only_looks_a_little_like_a_secret_is_kept(value: str) -> None:
    """Times, counters, versions and private addresses are ids."""
    assert read([(b"x-event-id", value.encode())]).request_id == value
    assert call_sid_of("/feed", value.encode()) == value


@pytest.mark.req("COR-08")
def test_a_doubled_header_is_not_trusted() -> None:
    """Two different values under one name: neither is used."""
    found = read([(b"x-request-id", b"a"), (b"x-request-id", b"b")])
    assert found.request_id not in ("a", "b")
    assert found.rejected == "x-request-id"


@pytest.mark.req("COR-02")
def test_the_first_valid_header_in_the_configured_order_wins() -> None:
    """Where headers disagree the loser is kept as client_request_id; where the first is unusable the next is taken."""
    both = read([(b"x-request-id", b"second"), (b"x-event-id", b"first")])
    assert (both.request_id, both.client_request_id, both.echo_event_id) == ("first", "second", True)
    fallback = read([(b"x-event-id", b"no good"), (b"x-request-id", b"good")])
    assert (fallback.request_id, fallback.rejected) == ("good", "x-event-id")
    assert Correlator(["X-Other"]).read([(b"x-other", b"mine"), (b"x-event-id", b"e")]).request_id == "mine"


@given(st.lists(st.tuples(st.sampled_from([name.lower().encode() for name in HEADERS]), st.binary(max_size=200)), max_size=5))
def test_the_outcome_is_always_safe(headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever arrives, the id in use may be logged and echoed."""
    found = read(headers)
    assert VALID_ID.fullmatch(found.request_id.encode())
    assert found.client_request_id is None or VALID_ID.fullmatch(found.client_request_id.encode())
