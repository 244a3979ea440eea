"""The verdict in words: what happened, when, where the time went, the first error, whose request, since when."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from app.clients.prometheus import FiredAlert
from app.core.console import inert
from app.stack.story.model import Story
from app.stack.story.text import clock, counted, duration, moment, short
from app.stack.story.units import Unit
from app.stack.story.verdict import FirstError, Verdict

MANY_RECORDS: Final = 30
"""From so many records on, the verdict says what most of them are."""

_MOST_USERS: Final = 5
_MOST_ALERTS: Final = 6
_SIGNS: Final = {0: ("✓ ", "bold green"), 1: ("! ", "bold yellow"), 2: ("? ", "bold yellow"), 3: ("✗ ", "bold red")}


def verdict_lines(story: Story, width: int) -> Table:
    """The verdict as a small table: a word, and its answer."""
    verdict = story.verdict
    assert verdict is not None  # noqa: S101 - the caller has looked
    sign, style = _SIGNS[verdict.badness]
    outer = Table(box=None, show_header=False, pad_edge=False, padding=(0, 0), width=width)
    outer.add_column(overflow="fold")
    outer.add_row(Text(sign, style).append(headline(verdict), style))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim", min_width=11)
    table.add_column(overflow="fold", ratio=1)
    for name, answer in _answers(story, verdict):
        table.add_row(f"  {name}", answer)
    outer.add_row(table)
    return outer


def headline(verdict: Verdict) -> str:
    """What happened, in one sentence."""
    if not verdict.units:
        noun = f"A run of {inert(verdict.component)}" if verdict.kind == "run" else "Records without a request"
        return f"{noun}, {duration(verdict.seconds)}"
    if len(verdict.units) == 1 and verdict.kind != "call":
        return _told(verdict.units[0])
    ends = Counter(_end(unit) for unit in verdict.units)
    summary = ", ".join(f"{count} × {inert(end)}" for end, count in ends.most_common())
    things = "connection" if all(unit.is_websocket for unit in verdict.units) else "request"
    noun = "Call of " if verdict.kind == "call" else ""
    text = f"{noun}{counted(len(verdict.units), things)} in {duration(verdict.seconds)}: {summary}"
    if verdict.worst is not None and verdict.worst.badness:
        text += f". The worst: {_told(verdict.worst)}"
    return text


def _told(unit: Unit) -> str:
    name = f"{inert(unit.method)} {inert(unit.endpoint)}"
    took = duration(unit.seconds)
    if unit.is_websocket:
        if unit.outcome == "unfinished":
            return f"WebSocket {inert(unit.endpoint)} opened {took} before the newest record, and has no end yet"
        return f"WebSocket {inert(unit.endpoint)} closed with {unit.close_code} after {took}"
    endings = {
        "completed": f"{name} answered {unit.status} after {took}",
        "failed": f"{name} crashed after {took}; the answer was {unit.status}",
        "timed_out": f"{name} took too long: cancelled after {took}, answered {unit.status}",
        "cancelled": f"{name} had no answer: the client hung up after {took}",
        "unfinished": f"{name} has no end: it still runs, its last records are on their way, or the process was killed",
    }
    return endings.get(unit.outcome, f"{name} ended as {inert(unit.outcome)} after {took}")


def _end(unit: Unit) -> str:
    if unit.is_websocket:
        return f"WebSocket closed {unit.close_code}" if unit.close_code else "WebSocket without an end"
    return str(unit.status) if unit.outcome in ("completed", "failed", "timed_out") else unit.outcome


def _answers(story: Story, verdict: Verdict) -> Iterator[tuple[str, Text]]:
    yield "when", Text(f"{clock(verdict.started)} UTC, {_ago(verdict.started)}")
    if verdict.worst is not None and verdict.worst.path != verdict.worst.endpoint:
        yield "request", Text(f"{inert(verdict.worst.method)} {short(verdict.worst.path)}")
    calls = list(dict.fromkeys(str(record["call_sid"]) for record in story.found.records if record.get("call_sid")))
    if len(calls) == 1 and calls[0] != story.ident:
        yield "call", Text(short(calls[0], 128))
    yield "time", _time(verdict)
    if verdict.first_error is not None:
        yield "first error", _error(verdict.first_error)
    if verdict.user_ids:
        more = f" and {len(verdict.user_ids) - _MOST_USERS} more" if len(verdict.user_ids) > _MOST_USERS else ""
        yield "user", Text(", ".join(short(user, 64) for user in verdict.user_ids[:_MOST_USERS]) + more)
    elif verdict.units:
        yield "user", Text("nobody signed in", "dim")
    if verdict.earlier is not None and verdict.worst is not None:
        yield "before", _before(verdict, verdict.worst)
    if story.alerts:
        yield "alerts", _alerts(story.alerts, verdict.started)
    if len(story.found.records) >= MANY_RECORDS:
        names = Counter(inert(record.get("event") or record.get("level") or "?") for record in story.found.records)
        yield "mostly", Text(", ".join(f"{count} × {name}" for name, count in names.most_common(4)), "dim")


def _alerts(alerts: Sequence[FiredAlert], started: float) -> Text:
    """When each fired, the critical ones first."""
    text = Text()
    for alert in sorted(alerts, key=lambda alert: (alert.severity != "critical", alert.since))[:_MOST_ALERTS]:
        end = "" if alert.ongoing else clock(alert.until, started)[:-4]
        style = "red" if alert.severity == "critical" else "yellow"
        text.append(" · " if text else "").append(inert(alert.name), style).append(f" {clock(alert.since, started)[:-4]}–{end}", "dim")
    if len(alerts) > _MOST_ALERTS:
        text.append(f" and {len(alerts) - _MOST_ALERTS} more", "dim")
    return text


def _time(verdict: Verdict) -> Text:
    if verdict.time:
        parts = [f"{share.share:.0%} {inert(share.name)} in {inert(share.service)} ({duration(share.seconds)})" for share in verdict.time]
        return Text(" · ".join(parts))
    if verdict.silence is not None and verdict.silence[2] > 0:
        before, after, seconds = verdict.silence
        return Text(f"longest pause {duration(seconds)}, between {inert(before)} and {inert(after)} (no trace to look into)")
    return Text("no trace to look into", "dim")


def _error(error: FirstError) -> Text:
    text = Text(inert(error.event or error.message), "bold red" if error.level != "WARNING" else "bold yellow")
    why = [part for part in (error.error_code, error.reason) if part]
    text.append(f" in {inert(error.service)}" + (f" ({inert(', '.join(why))})" if why else ""), "not bold")
    if error.error_type or error.error_message:
        what = ": ".join(part for part in (error.error_type, error.error_message) if part)
        text.append(f"\n{short(_first_line(what), 200)}", "not bold")
    elif error.message != error.event:
        text.append(f"\n{short(_first_line(error.message), 200)}", "not bold")
    return text.append(f"\nat {short(error.location)}", "not bold") if error.location else text


def _before(verdict: Verdict, worst: Unit) -> Text:
    earlier = verdict.earlier
    assert earlier is not None  # noqa: S101 - the caller has looked
    what = f"WebSocket {inert(worst.endpoint)}" if worst.is_websocket else f"{inert(worst.method)} {inert(worst.endpoint)}"
    if not earlier.count:
        return Text(f"the first to end so in an hour; {counted(earlier.of, 'earlier one')} to {what} did not")
    first = moment({"timestamp": earlier.first})
    text = f"{earlier.count:,} of {earlier.of:,} to {what} ended the same way in the hour before"
    return Text(f"{text}, the first {duration(worst.end - first)} earlier, at {clock(first, verdict.started)}", "yellow")


def _ago(started: float) -> str:
    passed = time.time() - started
    return f"{duration(passed)} ago" if passed >= 1 else "just now"


def _first_line(text: str) -> str:
    """The rest of a driver's message is the statement, which stands in the records below."""
    return next(iter(text.splitlines()), "")
