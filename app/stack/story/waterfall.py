"""A trace as a waterfall: spans below their parents, each with its service, a bar in time, and its duration."""

from collections.abc import Iterator
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from app.clients.jaeger import TraceSpan
from app.core.console import inert
from app.stack.story.model import Trace
from app.stack.story.text import counted, duration

WIDEST_BAR: Final = 60
NARROWEST_BAR: Final = 10
MOST_ROWS: Final = 60
MOST_ALIKE: Final = 3
"""Sisters without children that have one name are drawn up to this number; of more, one row stands for all."""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_TIME_WIDTH: Final = 12


def waterfall(trace: Trace, styles: dict[str, str], width: int) -> Text | Group:
    """The trace in `width` columns; or why it is not there."""
    title = Text("Trace ", "bold").append(inert(trace.trace_id), "bold")
    if not trace.spans:
        return Group(title, Text(f"  {inert(trace.problem)}", "yellow"))
    begin = min(span.start for span in trace.spans)
    total = max(1, max(span.start + span.duration for span in trace.spans) - begin)
    title.append(f"  {counted(len(trace.spans), 'span')} · {duration(total / 1e6)}", "not bold dim")
    rows = list(_rows(trace.spans))
    names = [f"{'  ' * depth}{inert(span.name)}{f' × {count}' if count > 1 else ''}" for depth, span, count in rows]
    name_width = min(max(len(name) for name in names), max(20, width * 2 // 5))
    service_width = min(max(len(inert(span.service)) for _, span, _ in rows), 12)
    bar_width = max(NARROWEST_BAR, min(WIDEST_BAR, width - name_width - service_width - _TIME_WIDTH - 6))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, max_width=name_width, overflow="ellipsis")
    table.add_column(no_wrap=True, max_width=service_width, overflow="ellipsis")
    table.add_column(no_wrap=True, width=bar_width)
    table.add_column(no_wrap=True, justify="right")
    for name, (_, span, count) in list(zip(names, rows, strict=True))[:MOST_ROWS]:
        style = "red" if span.failed else styles.get(span.service, "")
        table.add_row(
            Text(name, "red" if span.failed else ""),
            Text(inert(span.service), styles.get(span.service, "")),
            Text(bar((span.start - begin) / total, span.duration / total, bar_width), style),
            Text(duration(span.duration / 1e6) + (" ✗" if span.failed else "  "), "" if count == 1 else "italic"),
        )
    more = len(rows) - MOST_ROWS
    return Group(title, table, *([Text(f"  … and {counted(more, 'more row')}", "yellow")] if more > 0 else []))


def trace_line(trace: Trace) -> Text:
    """A trace that is not drawn, in one line."""
    line = Text("Trace ", "bold").append(inert(trace.trace_id), "bold")
    if not trace.spans:
        return line.append(f"  {inert(trace.problem)}", "not bold yellow")
    failed = any(span.failed for span in trace.spans)
    facts = f"  {inert(trace.spans[0].name)} · {counted(len(trace.spans), 'span')} · {duration(trace.seconds)}"
    return line.append(facts + (" ✗" if failed else ""), "not bold red" if failed else "not bold dim")


def bar(offset: float, share: float, width: int) -> str:
    """A bar that begins at `offset` and has the length `share` of the width; never without a mark."""
    start = min(int(offset * width), width - 1)
    length = max(1, round(min(share * width, width - start) * 8))
    return " " * start + "█" * (length // 8) + _EIGHTHS[length % 8].rstrip()


def _rows(spans: list[TraceSpan]) -> Iterator[tuple[int, TraceSpan, int]]:
    """Depth, span, and for how many alike it stands."""
    parents = {span.parent_id for span in spans}
    tree = list(_tree(spans))
    alike: dict[tuple[str, str, str, int, bool], list[TraceSpan]] = {}
    for depth, span in tree:
        if span.span_id not in parents:
            alike.setdefault((span.parent_id, span.name, span.service, depth, span.failed), []).append(span)
    for depth, span in tree:
        group = alike.get((span.parent_id, span.name, span.service, depth, span.failed), ())
        if span.span_id in parents or len(group) <= MOST_ALIKE or span.failed:
            yield depth, span, 1
        elif span is group[0]:
            reach = max(other.start + other.duration for other in group) - span.start
            yield depth, _spread(span, reach), len(group)


def _spread(span: TraceSpan, reach: int) -> TraceSpan:
    return TraceSpan(span.span_id, span.parent_id, span.name, span.service, span.start, reach, span.failed, span.tags)


def _tree(spans: list[TraceSpan]) -> Iterator[tuple[int, TraceSpan]]:
    """Spans below their parents with their depth; those whose parent is missing stand at the top. Each once, even in a circle."""
    known = {span.span_id for span in spans}
    children: dict[str, list[TraceSpan]] = {}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)
    waiting = [(0, span) for span in reversed(children.pop("", []))]
    while waiting or children:
        if not waiting:
            waiting = [(0, span) for span in reversed(children.pop(next(iter(children))))]
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(children.pop(span.span_id, []))]
