"""How a story looks in a terminal: the verdict, the records in time, what else is known, then each trace as a waterfall.

Everything that came from a store passes `inert` on its way to the screen.
"""

from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.clients.error_tracker import ErrorEvent
from app.core.console import inert
from app.stack.story.model import Story
from app.stack.story.records import RecordsView, records_table
from app.stack.story.text import clock, counted, duration, moment, short
from app.stack.story.verdict_view import verdict_lines
from app.stack.story.waterfall import trace_line, waterfall

SERVICE_STYLES: Final = ("green", "magenta", "blue", "bright_cyan", "bright_magenta", "bright_green")
MOST_WATERFALLS: Final = 3
"""Traces that are drawn; of the others one line each. The failed and the slowest are drawn."""

_NOT_SHOWN: Final = frozenset(
    {"timestamp", "event_type", "id", "request_id", "user_ref", "key_id", "priority", "service_name", "_id", "_index"}
)
"""Of a tracked event: what has a place of its own, or says nothing about what happened."""


def print_story(console: Console, story: Story, jaeger_url: str, limit: int = 0) -> None:
    """The whole story. `limit` is the most records that are shown, 0 for all."""
    styles = _service_styles(story)
    console.print(Text("\nStory of ").append(inert(story.ident), "bold"))
    if story.verdict:
        console.print(verdict_lines(story, console.width))
    if story.found.records:
        _heading(console, "Records", _extent(story))
        console.print(records_table(RecordsView(story.found.records, story.found.gap, story.found.more, limit), styles, console.width))
    if story.error_events:
        _heading(console, "Error events", counted(len(story.error_events), "event"))
        for event in story.error_events:
            console.print(_error_event(event), soft_wrap=True)
    if story.tracked:
        _heading(console, "Tracked events", counted(len(story.tracked), "event"))
        console.print(_tracked(story.tracked, moment(story.found.records[0]) if story.found.records else 0.0))
    for letter in story.found.dead_letters:
        console.print(_dead_letter(letter))
    _print_traces(console, story, jaeger_url, styles)
    for problem in story.problems:
        console.print(Text(f"\n{inert(problem)}", "yellow"))
    console.print()


def _print_traces(console: Console, story: Story, jaeger_url: str, styles: dict[str, str]) -> None:
    drawn = sorted(story.traces, key=lambda trace: (not any(span.failed for span in trace.spans), -trace.seconds))[:MOST_WATERFALLS]
    for trace in story.traces:
        if any(trace is chosen for chosen in drawn):
            console.print()
            console.print(waterfall(trace, styles, console.width))
            console.print(f"  {jaeger_url.rstrip('/')}/api/traces/{inert(trace.trace_id)}", style="dim", soft_wrap=True)
        else:
            console.print(trace_line(trace), soft_wrap=True)
    if story.more_traces:
        console.print(Text(f"… and {counted(story.more_traces, 'more trace')}; each request's own id shows its own.", "yellow"))


def _heading(console: Console, title: str, rest: str) -> None:
    console.print(Text(f"\n{title}", "bold").append(f"  {rest}", "not bold dim"))


def _extent(story: Story) -> str:
    records = story.found.records
    services = dict.fromkeys(str(record.get("service_name", "?")) for record in records)
    first, last = moment(records[0]), moment(records[-1])
    facts = (
        counted(len(records) + story.found.more, "record"),
        ", ".join(inert(service) for service in services),
        f"from {clock(first)} UTC",
        duration(last - first),
    )
    return " · ".join(facts)


def _error_event(event: ErrorEvent) -> Text:
    sign, style = ("✗", "red") if event.level in ("error", "fatal") else ("!", "yellow")
    text = Text(f"  {sign} ", style).append(short(event.title, 200), "bold")
    if event.location:
        text.append(f"  {short(event.location)}", style)
    details = [part for part in (event.service, event.level, event.timestamp) if part]
    text.append(f"\n    {inert(' · '.join(details))}", "dim")
    return text.append(f"\n    {inert(event.url)}", "dim") if event.url else text


def _tracked(events: list[dict[str, Any]], first: float) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold", style="dim")
    for event in events:
        name = event.get("event_type") or event.get("event") or "?"
        rest = {key: value for key, value in event.items() if key not in _NOT_SHOWN and value not in (None, {}, "")}
        rest |= rest.pop("properties", None) or rest.pop("metadata", None) or {}
        shown = "  ".join(f"{inert(key)}={short(value)}" for key, value in rest.items())
        table.add_row(f"+{duration(max(0.0, moment(event) - first))}", Text(short(name), "bold"), shown)
    return table


def _dead_letter(letter: dict[str, Any]) -> Text:
    text = Text("\nDead letter ", "bold red").append(f"{inert(letter.get('reason'))}: {short(letter.get('error_message'), 300)}\n")
    return text.append(f"  {inert(letter.get('_index'))}/{inert(letter.get('_id'))}  {short(letter.get('raw'), 300)}", "dim")


def _service_styles(story: Story) -> dict[str, str]:
    services = [str(record.get("service_name", "?")) for record in story.found.records]
    services += [span.service for trace in story.traces for span in trace.spans]
    return {service: SERVICE_STYLES[place % len(SERVICE_STYLES)] for place, service in enumerate(dict.fromkeys(services))}
