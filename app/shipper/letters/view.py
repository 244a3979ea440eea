"""How dead letters look on a screen. What stands in a letter came from outside, so control characters are shown, not obeyed."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.clients.dead_letters import Letter
from app.core.console import inert
from app.shipper.letters.replay import Outcome

MOST_REASONS: Final = 10
"""Different reasons for a refusal that are told; the rest is counted."""

_PLACE: Final = re.compile(r"^\[\d+:\d+\] | in document with id '[^']*'")
_VALUE: Final = re.compile(r"\. Preview of field's value: .*$|: Expected text at .*$", re.DOTALL)

_CELLS: Final = (("the record's time", "timestamp"), ("refused", "dead_at"), ("service", "service_name"))
_DETAILS: Final = (
    ("error", "error_type"),
    ("status", "status"),
    ("meant for", "target_index"),
    ("segment", "segment"),
    ("request", "request_id"),
    ("trace", "trace_id"),
    ("call", "call_sid"),
)


def counted(count: int, noun: str = "letter") -> str:
    """1 letter, 2 letters."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def by_reason(reasons: Counter[str]) -> str:
    """3 letters: 2 rejected, 1 malformed."""
    kinds = ", ".join(f"{count:,} {inert(reason)}" for reason, count in reasons.most_common())
    return f"{counted(reasons.total())}: {kinds}" if kinds else counted(0)


def print_list(console: Console, letters: Sequence[Letter]) -> None:
    """A line for each letter."""
    table = Table("time (UTC)", "service", "reason", "id", "why", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    rows = [_cells(letter) for letter in letters]
    for column, values in zip(table.columns, zip(*rows, strict=True), strict=True):
        column.no_wrap = True
        column.min_width = max(map(len, values))  # an id that is cut can't be pasted
    table.columns[-1].min_width, table.columns[-1].overflow = None, "ellipsis"
    for *cells, ident, why in rows:
        table.add_row(*map(Text, cells), Text(ident, style="cyan"), Text(why))
    console.print(table)


def print_letter(console: Console, letter: Letter) -> None:
    """Everything about a letter, its line in full."""
    console.print(Text(f"Dead letter {inert(letter.ident)}", style="bold"))
    _row(console, "reason", f"{letter.text('reason')}: {letter.text('error_message')}".rstrip(": "))
    for label, name in (*_CELLS, *_DETAILS):
        if value := letter.text(name):
            _row(console, label, value)
    _row(console, "lies in", letter.index)
    console.print()
    for line in _pretty(letter.text("raw")):
        console.print(Text(inert(line)), soft_wrap=True)


def print_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Why letters stay, each reason once with an example."""
    reasons: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        reasons.setdefault(kind_of(outcome.why), []).append(outcome)
    for why, those in sorted(reasons.items(), key=lambda found: -len(found[1]))[:MOST_REASONS]:
        verb = "can't be sent" if those[0].fate == "damaged" else ("was refused again" if len(those) == 1 else "were refused again")
        console.print(Text(f"{counted(len(those))} {verb}: {inert(why)}", style="yellow"), soft_wrap=True)
        console.print(Text(f"    such as {inert(those[0].letter.ident)}", style="dim"), soft_wrap=True)
    if len(reasons) > MOST_REASONS:
        console.print(f"… and {len(reasons) - MOST_REASONS} more reasons; `--json` has them all")


def as_json(data: Any) -> str:
    """For scripts: indented JSON with a newline at its end."""
    return orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def document(letter: Letter) -> dict[str, Any]:
    """A letter as JSON: its place and all of its fields."""
    return {"id": letter.ident, "index": letter.index, **letter.fields}


def kind_of(why: str) -> str:
    """What refusals of the same kind have in common: without the document, the place in it, and its value."""
    return _VALUE.sub("", without_place(why))


def without_place(why: str) -> str:
    """Elasticsearch's sentence without the letter's own id and the column: both say nothing that the letter doesn't."""
    return _PLACE.sub("", why)


def _cells(letter: Letter) -> tuple[str, ...]:
    why = without_place(letter.text("error_message") or letter.text("error_type"))
    when = letter.text("timestamp")[:19].replace("T", " ")
    return tuple(inert(cell) for cell in (when, letter.text("service_name") or "-", letter.text("reason"), letter.ident, why))


def _row(console: Console, label: str, value: str) -> None:
    console.print(Text.assemble((f"  {label:<18} ", "dim"), inert(value)), soft_wrap=True)


def _pretty(raw: str) -> list[str]:
    try:
        return orjson.dumps(orjson.loads(raw), option=orjson.OPT_INDENT_2).decode().splitlines()
    except ValueError:
        return [raw]
