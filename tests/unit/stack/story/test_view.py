"""How a story is drawn, without servers."""

from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from app.clients.jaeger import TraceSpan
from app.clients.log_search import Found
from app.stack.story.model import Story, Trace
from app.stack.story.text import duration, moment
from app.stack.story.verdict import judge
from app.stack.story.view import print_story
from app.stack.story.waterfall import WIDEST_BAR
from tests.support.stories import at, chat, record, request

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(ident: str, parent: str = "", start: int = 0, length: int = 1000, name: str = "work") -> TraceSpan:
    """A span of the app."""
    return TraceSpan(ident, parent, name, "app", start, length, failed=False)


def drawn(
    records: list[dict[str, Any]], spans: list[TraceSpan] | None = None, *, width: int = 100, limit: int = 0, colour: bool = False
) -> str:
    """The story as text."""
    console = Console(
        file=StringIO(), width=width, highlight=False, markup=False, force_terminal=colour, color_system="standard" if colour else None
    )
    story = Story("abc123", Found(records), [Trace(TRACE, spans)] if spans else [], verdict=judge("abc123", records, spans or []))
    print_story(console, story, "http://127.0.0.1:16686/", limit)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0842, "84.2 ms"), (1.25, "1.25 s"), (200, "3 min 20 s"), (0, "0.0 ms"), (7500, "2 h 5 min")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """The unit that fits."""
    assert duration(seconds) == text


def test_a_foreign_document_without_a_time_does_not_break_the_story() -> None:
    """Records of other writers may stand in the same indices."""
    assert moment({}) == 0
    assert "hello" in drawn([{"message": "hello"}])


@pytest.mark.req("TRC-06")
def test_children_stand_below_their_parents_in_time() -> None:
    """Indented by depth, whatever the order in which they came."""
    lines = drawn(
        [{"timestamp": at(0)}], [span("a", name="root"), span("c", "b", name="grandchild"), span("b", "a", name="child", length=10)]
    ).partition("Trace")[2]
    places = [lines.index(name) - lines.rindex("\n", 0, lines.index(name)) - 1 for name in ("root", "  child", "    grandchild")]
    assert places == [0, 0, 0]
    assert lines.index("root") < lines.index("  child") < lines.index("    grandchild")


def test_many_sisters_are_one_row() -> None:
    """Two hundred queries of one request don't push its other spans off the screen."""
    spans = [span("root", name="GET /feed", length=10**6), *(span(f"q{number}", "root", number, name="db.query") for number in range(200))]
    waterfall = drawn([{"timestamp": at(0)}], spans).partition("Trace ")[2]
    assert "db.query × 200" in waterfall
    assert waterfall.count("db.query") == 1


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            span,
            st.sampled_from("abcdef"),
            st.sampled_from(["", "a", "b", "c", "zz"]),
            st.integers(0, 10**9),
            st.integers(0, 10**9),
            st.sampled_from(["one", "two"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(40, 200),
)
def test_any_trace_can_be_drawn(spans: list[TraceSpan], width: int) -> None:
    """Missing parents, circles, twins, zero lengths: no bar is wider than its column, no line wider than the terminal."""
    unique = list({item.span_id: item for item in spans}.values())
    text = drawn([{"timestamp": at(0)}], unique, width=width).partition("\nTrace ")[2]
    lines = [line for line in text.splitlines() if "http://" not in line]
    assert all(line.count("█") <= WIDEST_BAR for line in lines)
    assert all(len(line) <= max(width, 60) for line in lines)


@given(st.text())
@settings(deadline=None)
def test_no_logged_text_reaches_the_terminal_as_a_command(text: str) -> None:
    """Whatever a record holds in whichever field, only line feeds of our own and printable characters come out."""
    hostile = dict.fromkeys(
        ("event", "message", "service_name", "user_id", "path", "endpoint", "method", "error_type", "error_message"), text
    )
    hostile |= {"error_location": text, "error_code": text, "outcome": text}
    start = {"timestamp": at(0), "level": "INFO", **hostile, "event": "http.request.started", "span_id": "1"}
    end = {"timestamp": at(1), "level": "ERROR", **hostile, "event": "http.request.failed", "span_id": "1", "extra": {text: text}}
    for character in drawn([start, {"timestamp": at(0.5), "level": "ERROR", **hostile}, end]):
        assert character == "\n" or (character.isprintable() or ord(character) > 0x9F)


def test_with_colours_too_data_stays_data() -> None:
    """Escape sequences of ours colour; those of a record are shown as text."""
    text = drawn([record(0, "INFO", "note", message="\x1b[31mred\x1b[2J")], colour=True)
    assert "\x1b[" in text
    assert "\\x1b[31mred\\x1b[2J" in text


@pytest.mark.parametrize("width", [80, 160])
def test_it_fits_the_terminal(width: int) -> None:
    """Nothing is wider than 80 or 160 columns, so that no terminal breaks the table."""
    text = drawn(request("abc123", status=502, seconds=2.03), [span("a", name="POST /suggest")], width=width)
    assert max(len(line) for line in text.splitlines() if "http://" not in line) <= width
    assert "POST /suggest answered 502" in text


@pytest.mark.req("COR-12")
def test_a_long_session_stays_readable() -> None:
    """Of a chat with hundreds of records, beginning, end and trouble are shown, the rest in sums; --limit 0 shows all."""
    records = chat(messages=200, trouble_at=100)
    text = drawn(records, limit=40)
    table = text.partition("Records")[2]
    assert len(table.splitlines()) < 130
    assert "websocket.opened" in table
    assert "websocket.closed" in table
    assert "token.expired" in table
    assert "⋯" in table
    everything = drawn(records, limit=0)
    assert everything.partition("Records")[2].count("chat.message") == 400


def test_a_row_stands_for_many_alike() -> None:
    """The same query a hundred times in a row is the first one and a sum."""
    records = [
        record(0, "INFO", "first"),
        *(record(0.01 * number, "DEBUG", "db.query") for number in range(1, 101)),
        record(2, "INFO", "last"),
    ]
    table = drawn(records, limit=100).partition("Records")[2]
    assert "99 × db.query" in table
    assert len(table.splitlines()) < 12
