"""The records of a story as a table: time since the first, service, level, what happened.

Long stories stay readable: a row stands for many like it, and beyond a limit the middle is told in sums; trouble is always shown.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from app.core.console import inert
from app.core.telemetry.fields import FIELDS
from app.stack.story.text import counted, duration, moment, short

LEVEL_STYLES: Final = {"DEBUG": "dim", "INFO": "cyan", "WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold white on red"}
TROUBLE: Final = frozenset({"WARNING", "ERROR", "CRITICAL"})

IN_COLUMNS: Final = frozenset({"timestamp", "level", "log_level", "service_name", "event", "message"})
TOLD_ONCE: Final = frozenset(
    {"logger", "request_id", "trace_id", "span_id", "method", "path", "version", "environment", "process_id", "traceback", "extra"}
)
"""Fields that stand on each record, or have a place of their own; method and path are in the first record's message."""

MOST_STACK_LINES: Final = 15
FEW_STACK_LINES: Final = 8
"""On a narrow screen, where each is folded."""

LONGEST_RUN: Final = 3
"""So many records of one kind in a row are shown each; of a longer row, the first and a sum."""

WIDE: Final = 110
"""Columns from which the pause before each record has a column of its own."""

NOTABLE_SHARE: Final = 0.2
"""A pause that takes this share of the whole time is emphasised."""


@dataclass(frozen=True, slots=True)
class RecordsView:
    """What to show: the records, where some are missing and how many, and the most to show (0: all)."""

    records: Sequence[dict[str, Any]]
    gap: int = 0
    missing: int = 0
    limit: int = 0


def records_table(view: RecordsView, styles: dict[str, str], width: int) -> Table:
    """The records, one or more lines each."""
    wide = width >= WIDE
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2 if wide else 1, 0, 0), expand=False)
    table.add_column(justify="right", no_wrap=True, style="dim")
    if wide:
        table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True, max_width=12 if wide else 8, overflow="ellipsis")
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    first, total = moment(view.records[0]), moment(view.records[-1]) - moment(view.records[0])
    blank = [""] * (3 if wide else 2)
    previous, told, stacks = first, _said_of_all(view.records), set[tuple[str, ...]]()
    for row in _rows(view):
        if isinstance(row, _Sum):
            at = f"+{duration(moment(row.hidden[0]) - first)}" if row.hidden else ""
            table.add_row(at, *blank, row.text())
            continue
        service, level, at_seconds = str(row.get("service_name", "?")), str(row.get("level", "?")), moment(row)
        cells: list[Any] = [f"+{duration(at_seconds - first)}", *([_pause(at_seconds - previous, total)] if wide else [])]
        cells += [Text(inert(service), styles.get(service, "")), Text(inert(level), LEVEL_STYLES.get(level, ""))]
        stack = tuple(str(row.get("traceback") or "").splitlines()[-(MOST_STACK_LINES if wide else FEW_STACK_LINES) :])
        table.add_row(*cells, Group(*_content(row, level, told, ("  ends as the one above",) if stack in stacks else stack)))
        stacks |= {stack} if stack else set()
        previous = at_seconds
    return table


@dataclass(slots=True)
class _Sum:
    """Stands for records that have no row of their own, or, without any, for `missing` that were not fetched."""

    hidden: list[dict[str, Any]]
    missing: int = 0

    def text(self) -> Text:
        """How many, of which kinds, in which time."""
        if self.missing:
            return Text(f"⋯ {counted(self.missing, 'record')} not fetched; --limit fetches more", "yellow")
        names = Counter(str(record.get("event") or record.get("message") or "?") for record in self.hidden)
        kinds = ", ".join(f"{count} × {short(name, 40)}" for name, count in names.most_common(4)) + (", …" if len(names) > 4 else "")
        span = moment(self.hidden[-1]) - moment(self.hidden[0])
        return Text(f"⋯ {counted(len(self.hidden), 'record')} in {duration(span)}: {kinds}", "dim italic")


def _rows(view: RecordsView) -> Iterator[dict[str, Any] | _Sum]:
    """The records that are shown, and sums for the rest."""
    shown = _shown(view)
    hidden: list[dict[str, Any]] = []
    for place, record in enumerate(view.records):
        is_gap = place == view.gap and view.missing > 0
        if hidden and (place in shown or is_gap):
            yield _Sum(hidden)
            hidden = []
        if is_gap:
            yield _Sum([], view.missing)
        if place in shown:
            yield record
        else:
            hidden.append(record)
    if hidden:
        yield _Sum(hidden)


def _pause(seconds: float, total: float) -> Text:
    return Text(duration(seconds) if seconds >= 0.001 else "", "bold" if total and seconds >= NOTABLE_SHARE * total else "")


def _shown(view: RecordsView) -> set[int]:
    """The places that get a row of their own."""
    count = len(view.records)
    if not view.limit:
        return set(range(count))
    chosen = {place for place in range(count) if not _is_repetition(view.records, place)}
    if len(chosen) <= view.limit:
        return chosen
    ordered = sorted(chosen)
    trouble = [place for place in ordered if view.records[place].get("level") in TROUBLE]
    kept = set(trouble[: view.limit // 2])
    room = view.limit - len(kept)
    kept.update(ordered[: room - room // 2])
    kept.update(ordered[len(ordered) - room // 2 :])
    return kept


def _is_repetition(records: Sequence[dict[str, Any]], place: int) -> bool:
    """Whether it is one of many alike in a row, and not the first of them."""
    kind = _kind(records[place])
    if kind is None:
        return False
    begin = place
    while begin > 0 and place - begin < LONGEST_RUN and _kind(records[begin - 1]) == kind:
        begin -= 1
    if begin == place:
        return False
    end = place
    while end + 1 < len(records) and end - begin < LONGEST_RUN and _kind(records[end + 1]) == kind:
        end += 1
    return end - begin >= LONGEST_RUN


def _kind(record: dict[str, Any]) -> tuple[str, ...] | None:
    """What makes two records alike; None for those that are never left out."""
    if record.get("level") in TROUBLE:
        return None
    return tuple(str(record.get(name)) for name in ("service_name", "event", "message", "operation", "statement"))


def _said_of_all(records: Sequence[dict[str, Any]]) -> frozenset[str]:
    """The call and the user, where there is only one: the verdict names them, and they need not stand on every line."""
    return frozenset(name for name in ("call_sid", "user_id") if len({str(record[name]) for record in records if record.get(name)}) == 1)


def _content(record: dict[str, Any], level: str, told: frozenset[str], stack: Sequence[str]) -> Iterator[Text]:
    event, message = inert(record.get("event", "")), inert(record.get("message", ""))
    line = Text().append(event, "bold")
    if message and message != event:
        line.append("  " if event else "").append(message, "red" if level in ("ERROR", "CRITICAL") else "")
    yield line
    details = "  ".join(f"{name}={value}" for name, value in _fields(record) if name not in told)
    if details and not record.get("traceback"):
        yield Text(details, "dim")
    for stack_line in stack:
        yield Text(inert(stack_line), "dim red")


def _fields(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The declared fields in their order, then what the caller added."""
    for name in FIELDS:
        if record.get(name) is not None and name not in IN_COLUMNS and name not in TOLD_ONCE:
            yield name, short(record[name])
    extra = record.get("extra")
    for name, value in extra.items() if isinstance(extra, dict) else ():
        yield inert(name), short(value)
