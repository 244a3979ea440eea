"""How a story looks in a terminal: the records in time, then each trace as a waterfall.

Everything that came from a log or a trace passes `inert` on its way to the screen.
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from app.clients.jaeger import TraceSpan
from app.core.console import inert
from app.core.telemetry.fields import FIELDS

if TYPE_CHECKING:
    from app.stack.story import Story, Trace

LEVEL_STYLES: Final = {"DEBUG": "dim", "INFO": "cyan", "WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold white on red"}
SERVICE_STYLES: Final = ("green", "magenta", "blue", "bright_cyan", "bright_magenta", "bright_green")

IN_COLUMNS: Final = frozenset({"timestamp", "level", "log_level", "service_name", "event", "message"})
TOLD_ONCE: Final = frozenset(
    {"logger", "request_id", "trace_id", "span_id", "method", "path", "version", "environment", "process_id", "traceback", "extra"}
)
"""Fields that stand on each record, or have a place of their own."""

LONGEST_VALUE: Final = 120
MOST_STACK_LINES: Final = 15
BAR_WIDTH: Final = 36

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def print_story(console: Console, story: "Story", jaeger_url: str) -> None:
    """The whole story: heading, records, dead letters, traces."""
    records = story.found.records
    console.print(_heading(story))
    styles = _service_styles(story)
    if records:
        console.print(_records(records, styles))
    if story.found.more:
        console.print(f"… and {story.found.more} more records; a narrower id shows them.", style="yellow")
    for letter in story.found.dead_letters:
        console.print(_dead_letter(letter))
    for trace in story.traces:
        console.print()
        console.print(_trace(trace, styles))
        console.print(f"  {jaeger_url.rstrip('/')}/trace/{inert(trace.trace_id)}", style="dim", soft_wrap=True)


def moment(record: dict[str, Any]) -> float:
    """The time of a record in seconds since the epoch; 0 for a foreign document that has none."""
    try:
        return dt.datetime.fromisoformat(str(record.get("timestamp") or record.get("@timestamp"))).timestamp()
    except ValueError:
        return 0.0


def duration(seconds: float) -> str:
    """A duration for people: `84.2 ms`, `1.25 s`, `3 min 20 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.2f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _heading(story: "Story") -> Text:
    records = story.found.records
    text = Text("\nStory of ").append(inert(story.ident), "bold")
    if records:
        services = dict.fromkeys(str(record.get("service_name", "?")) for record in records)
        first, last = moment(records[0]), moment(records[-1])
        begun = dt.datetime.fromtimestamp(first, dt.UTC)
        facts = (
            f"{begun:%Y-%m-%d %H:%M:%S}.{begun:%f} UTC",
            duration(last - first),
            _counted(len(records), "record"),
            ", ".join(inert(service) for service in services),
        )
        text.append("\n" + " · ".join(facts) + "\n", "dim")
    return text


def _records(records: list[dict[str, Any]], styles: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), expand=False)
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True, max_width=12)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    first = moment(records[0])
    for record in records:
        level = str(record.get("level", "?"))
        service = str(record.get("service_name", "?"))
        table.add_row(
            f"+{duration(moment(record) - first)}",
            Text(inert(service), styles.get(service, "")),
            Text(inert(level), LEVEL_STYLES.get(level, "")),
            Group(*_content(record, level)),
        )
    return table


def _content(record: dict[str, Any], level: str) -> Iterator[Text]:
    event, message = inert(record.get("event", "")), inert(record.get("message", ""))
    line = Text().append(event, "bold")
    if message and message != event:
        line.append("  " if event else "").append(message, "red" if level in ("ERROR", "CRITICAL") else "")
    yield line
    details = "  ".join(f"{name}={value}" for name, value in _fields(record))
    if details and not record.get("traceback"):
        yield Text(details, "dim")
    for stack_line in str(record.get("traceback") or "").splitlines()[-MOST_STACK_LINES:]:
        yield Text(inert(stack_line), "dim red")


def _fields(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The declared fields in their order, then what the caller added."""
    told_here = {"method", "path"} if str(record.get("event")) == "http.request.started" else set()
    for name in FIELDS:
        if record.get(name) is not None and name not in IN_COLUMNS and (name not in TOLD_ONCE or name in told_here):
            yield name, _short(record[name])
    extra = record.get("extra")
    for name, value in extra.items() if isinstance(extra, dict) else ():
        yield inert(name), _short(value)


def _dead_letter(letter: dict[str, Any]) -> Text:
    text = Text("\nDead letter ", "bold red").append(f"{inert(letter.get('reason'))}: {_short(letter.get('error_message'), 300)}\n")
    return text.append(f"  {inert(letter.get('_index'))}/{inert(letter.get('_id'))}  {_short(letter.get('raw'), 300)}", "dim")


def _trace(trace: "Trace", styles: dict[str, str]) -> Text | Group:
    title = Text("Trace ", "bold").append(inert(trace.trace_id), "bold")
    if not trace.spans:
        return Group(title, Text(f"  {inert(trace.problem)}", "yellow"))
    begin = min(span.start for span in trace.spans)
    total = max(1, max(span.start + span.duration for span in trace.spans) - begin)
    title.append(f"  {_counted(len(trace.spans), 'span')} · {duration(total / 1e6)}", "not bold dim")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, max_width=38, overflow="ellipsis")
    table.add_column(no_wrap=True, max_width=12)
    table.add_column(no_wrap=True, width=BAR_WIDTH)
    table.add_column(no_wrap=True, justify="right")
    for depth, span in _tree(trace.spans):
        style = "red" if span.failed else styles.get(span.service, "")
        name = Text("  " * depth + inert(span.name), "red" if span.failed else "")
        table.add_row(
            name,
            Text(inert(span.service), styles.get(span.service, "")),
            Text(_bar((span.start - begin) / total, span.duration / total), style),
            Text(duration(span.duration / 1e6) + (" ✗" if span.failed else "  ")),
        )
    return Group(title, table)


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


def _bar(offset: float, share: float) -> str:
    """A bar that begins at `offset` and has the length `share` of the width; never without a mark."""
    start = min(int(offset * BAR_WIDTH), BAR_WIDTH - 1)
    length = max(1, round(min(share * BAR_WIDTH, BAR_WIDTH - start) * 8))
    return " " * start + "█" * (length // 8) + _EIGHTHS[length % 8].rstrip()


def _service_styles(story: "Story") -> dict[str, str]:
    services = [str(record.get("service_name", "?")) for record in story.found.records]
    services += [span.service for trace in story.traces for span in trace.spans]
    return {service: SERVICE_STYLES[place % len(SERVICE_STYLES)] for place, service in enumerate(dict.fromkeys(services))}


def _short(value: object, limit: int = LONGEST_VALUE) -> str:
    text = inert(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
