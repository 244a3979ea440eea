"""How a story is drawn, without servers."""

from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from app.clients.jaeger import TraceSpan
from app.clients.log_search import Found
from app.stack.story import Story, Trace
from app.stack.story_view import BAR_WIDTH, duration, moment, print_story

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(ident: str, parent: str = "", start: int = 0, length: int = 1000, name: str = "work") -> TraceSpan:
    """A span of the app."""
    return TraceSpan(ident, parent, name, "app", start, length, failed=False)


def drawn(records: list[dict[str, Any]], spans: list[TraceSpan]) -> str:
    """The story as text, 100 columns wide."""
    console = Console(file=StringIO(), width=100, highlight=False, markup=False)
    print_story(console, Story("abc123", Found(records), [Trace(TRACE, spans)]), "http://127.0.0.1:16686/")
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize(("seconds", "text"), [(0.0842, "84.2 ms"), (1.25, "1.25 s"), (200, "3 min 20 s"), (0, "0.0 ms")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """The unit that fits."""
    assert duration(seconds) == text


def test_a_foreign_document_without_a_time_does_not_break_the_story() -> None:
    """Records of other writers may stand in the same indices."""
    assert moment({}) == 0
    assert "hello" in drawn([{"message": "hello"}], [])


def test_children_stand_below_their_parents_in_time() -> None:
    """Indented by depth, whatever the order in which they came."""
    lines = drawn(
        [{"timestamp": "2026-11-22T02:15:04.123456Z"}],
        [span("a", name="root"), span("c", "b", name="grandchild"), span("b", "a", name="child")],
    )
    places = [lines.index(name) - lines.rindex("\n", 0, lines.index(name)) - 1 for name in ("root", "  child", "    grandchild")]
    assert places == [0, 0, 0]
    assert lines.index("root") < lines.index("  child") < lines.index("    grandchild")


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            span, st.sampled_from("abcdef"), st.sampled_from(["", "a", "b", "c", "zz"]), st.integers(0, 10**9), st.integers(0, 10**9)
        ),
        max_size=12,
    )
)
def test_any_trace_can_be_drawn(spans: list[TraceSpan]) -> None:
    """Missing parents, circles, twins, zero lengths: each span once, no bar wider than its column."""
    unique = list({item.span_id: item for item in spans}.values())
    text = drawn([{"timestamp": "2026-11-22T02:15:04.123456Z"}], unique)
    assert text.count("work") == len(unique)
    assert all(line.count("█") <= BAR_WIDTH for line in text.splitlines())


@given(st.text())
@settings(deadline=None)
def test_no_logged_text_reaches_the_terminal_as_a_command(text: str) -> None:
    """Whatever a message holds, only line feeds of our own and printable characters come out."""
    for character in drawn([{"timestamp": "2026-11-22T02:15:04.123456Z", "message": text, "event": text, "extra": {text: text}}], []):
        assert character == "\n" or (character.isprintable() or ord(character) > 0x9F)
