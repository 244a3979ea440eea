"""The quick way of a record gives the same bytes as the plain one, or none."""

import enum
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core import context, lines
from app.core.lines import Repeated, quick_line
from app.core.logger import get_logger
from app.core.records import build, encode
from app.core.telemetry import FIELDS

LIMITS = (8192, 65536)
NOW = "2026-01-02T03:04:05.678901Z"


class Colour(enum.IntEnum):
    """A number that is none to `type`."""

    RED = 1


@contextmanager
def stopped_clock() -> Iterator[None]:
    """Both ways look at one clock that stands still."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.core.lines.timestamp", lambda: NOW)
        patch.setattr("app.core.records.timestamp", lambda: NOW)
        yield


def plainly(level: int, message: str, fields: dict[str, Any]) -> bytes:
    """The record's line as `app.core.records` defines it."""
    return encode(build("app", level, "x.y", message, fields), *LIMITS)


TEXTS = (
    st.text(max_size=30)
    | st.text(max_size=12).map(lambda text: f"{text} 4242 4242 4242 4242")
    | st.sampled_from(
        ["", "feed.loaded", "a b", "ayse@example.com", "password=hunter2", "sk_live_abcdef0123456789", "\0", "\ud800", '"\\\n', "x" * 9000]
    )
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([4242424242424242, 10**12, -(10**12), 10**12 + 1, 2**63, -(2**63), Colour.RED, uuid.UUID(int=5), b"x", ()])
    | st.floats()
    | TEXTS
    | st.lists(TEXTS, max_size=2)
    | st.dictionaries(TEXTS, TEXTS, max_size=2)
)
RENAMED = ["user", "userId", "correlation_id", "event_id"]
NAMES = st.sampled_from([*FIELDS, *RENAMED, "password", "e_mail", "cache", "page", "", "a\0b"]) | TEXTS
CONTEXTS = st.dictionaries(st.sampled_from(["request_id", "path", "user_id", "call_sid", "graphql_operation", "event"]), TEXTS, max_size=4)


@given(st.dictionaries(NAMES, VALUES, max_size=6), TEXTS, CONTEXTS, st.sampled_from([10, 15, 20, 30]))
@example({"event": "feed.loaded", "count": 3, "duration_ms": 1.5, "cache": "hit"}, "Feed loaded", {"request_id": "abc"}, 20)
@example({"user": "1", "user_id": "2"}, "m", {}, 20)
@example({"user_id": "2"}, "m", {"user_id": "1"}, 20)
@example({True: "b", 2.5: None}, "m", {}, 20)
@example({1: "a"}, "m", {}, 20)
@example({"count": float("nan"), "duration_ms": float("nan"), "a": float("inf")}, "m", {}, 20)
@settings(deadline=None, max_examples=500)
def test_the_quick_way_gives_the_same_bytes_or_none(fields: dict[str, Any], message: str, known: dict[str, Any], level: int) -> None:
    """Whatever a caller passes in whatever context: no byte is different, and asking twice (from the caches) changes nothing."""
    token = context.replace(known)
    try:
        with stopped_clock():
            wanted = plainly(level, message, fields)
            for _ in range(2):
                assert quick_line("app", level, "x.y", message, fields, LIMITS[0]) in (wanted, None)
    finally:
        context.restore(token)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"event": "feed.loaded", "count": 3, "duration_ms": 1.5, "cache": "hit", "page": 2},
        {"user_id": None, "note": None, "slow": True, "ratio": 0.25, "mail": "ayse@example.com"},
    ],
)
def test_usual_records_take_the_quick_way(fields: dict[str, Any]) -> None:
    """Not None: otherwise the two ways would agree because there is only one."""
    token = context.replace({"request_id": "abc", "trace_id": "1" * 32, "path": "/ä"})
    try:
        with stopped_clock():
            assert quick_line("app", 20, "x.y", "Feed loaded", fields, LIMITS[0]) == plainly(20, "Feed loaded", fields)
    finally:
        context.restore(token)


@given(
    st.sampled_from(["", "GET /a 200", "ayse@example.com", "4242 4242 4242 4242"]) | TEXTS,
    st.dictionaries(st.sampled_from(["endpoint", "outcome", "event"]), TEXTS.filter(bool), max_size=3),
    CONTEXTS,
    st.floats(0, 10**9).map(lambda value: round(value, 3)),
    st.integers(0, 10**12),
)
@example("GET /a 200", {"event": "http.request.completed", "endpoint": "/a", "outcome": "completed"}, {"request_id": "abc"}, 0.0, 0)
@example("m", {"event": "4242424242424242"}, {}, 1.5, 2)
@example("m", {"endpoint": "/a"}, {"user_id": "\ud800"}, 1.5, 2)
@settings(deadline=None, max_examples=300)
def test_a_repeated_record_gives_the_same_bytes_or_none(
    message: str, fields: dict[str, Any], known: dict[str, Any], first: float, second: int
) -> None:
    """The shortest way too: what is prepared once and filled with two numbers is the record that all of it makes."""
    numbers = ("duration_ms", "response_bytes")
    token = context.replace(known)
    try:
        with stopped_clock():
            wanted = plainly(20, message, {**fields, **dict(zip(numbers, (first, second), strict=True))})
            try:
                record = Repeated("app", 20, "x.y", message, fields, numbers)
            except TypeError:
                return  # half a surrogate: it is not made at all
            for _ in range(2):
                assert record.line(first, second, LIMITS[0]) in (wanted, None)
    finally:
        context.restore(token)


def test_a_request_that_ends_well_takes_the_shortest_way_and_a_context_that_says_more_does_not() -> None:
    """Not None, then None: a field that the context binds already isn't written twice."""
    record = Repeated(
        "app", 20, "x.y", "GET /a 200", {"event": "http.request.completed", "endpoint": "/a"}, ("duration_ms", "response_bytes")
    )
    token = context.replace({"request_id": "abc"})
    try:
        assert json.loads(record.line(1.25, 7, LIMITS[0]) or b"null")["duration_ms"] == 1.25
        context.bind(endpoint="/b")
        assert record.line(1.25, 7, LIMITS[0]) is None
        assert record.line(1.25, 7, 20) is None
    finally:
        context.restore(token)


def test_names_that_are_no_text_become_text(records: Callable[[], list[dict[str, Any]]]) -> None:
    """`extra` may have any keys: 1 and True, which are equal to Python, each keep their name, and no record is lost."""
    log = get_logger("x")
    for extra in ({1: "a"}, {True: "b"}, {("p", 2): ["c"]}):
        log.info("m", extra=extra)  # type: ignore[arg-type]
    assert [record["extra"] for record in records()] == [{"1": "a"}, {"True": "b"}, {"('p', 2)": ["c"]}]


def test_a_context_that_grows_shows_in_the_next_record(records: Callable[[], list[dict[str, Any]]]) -> None:
    """What is kept of a context belongs to that context: binding more, or leaving it, is seen at once."""
    log = get_logger("x")
    with context.run("job") as ident:
        log.info("a")
        context.bind(user_id="7")
        log.info("b")
    log.info("c")
    first, second, third = records()
    assert (first["request_id"], "user_id" in first) == (ident, False)
    assert (second["request_id"], second["user_id"]) == (ident, "7")
    assert "request_id" not in third


def test_the_caches_stay_small() -> None:
    """Names, loggers and messages without end: what is kept is bounded, and the lines are right."""
    for number in range(9000):
        line = quick_line("app", 20, f"x{number}", f"message {number}", {f"key{number}": 1}, LIMITS[0])
        assert line is not None
        assert json.loads(line)["extra"] == {f"key{number}": 1}
    assert max(len(lines._plans), len(lines._heads), len(lines._texts)) <= 4096
