"""`nobet story ID` and `nobet story --user ID --at 14:47`.

Exit codes: 0 a story, 1 nothing known, 2 the command can't be understood (several ids, a time that is none),
3 the log store can't be asked.
"""

import sys
import time
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.clients.log_search import LARGEST_PAGE, MOST_RECORDS, LogSearch, SearchError
from app.core.config import ConfigError, Settings, load_settings
from app.core.console import inert
from app.core.terminal import Colour, screen, show
from app.stack.errors import StackError
from app.stack.story.document import as_document, to_json
from app.stack.story.find import AROUND_MINUTES, Report, as_plain, find, span_of
from app.stack.story.gather import UnclearIdError, tell
from app.stack.story.text import clock, counted, duration, short
from app.stack.story.units import Unit
from app.stack.story.view import print_story

NOTHING, UNCLEAR, NO_STORE = 1, 2, 3

SHOWN_RECORDS: Final = 100
"""Lines of records on a screen, unless --limit says otherwise."""

SHOWN_REQUESTS: Final = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command as they were given."""

    ident: str = ""
    user: str = ""
    at: str = ""
    begin: str = ""
    end: str = ""
    within: float = AROUND_MINUTES
    zone: str = "UTC"
    limit: int | None = None
    as_json: bool = False
    colour: Colour = Colour.AUTO


def run(wanted: Wanted) -> int:
    """Print what is known. The exit code says what came of it."""
    ident, user = wanted.ident.strip(), wanted.user.strip()
    if bool(ident) == bool(user):
        return _fail("Give the id of a request, call or trace, or --user with --at 14:47.", UNCLEAR)
    if ident and (wanted.at or wanted.begin or wanted.end):
        return _fail("--at, --from and --to go with --user; an id needs no time.", UNCLEAR)
    try:
        settings = load_settings()
        span = span_of(wanted.at, wanted.begin, wanted.end, wanted.within, wanted.zone, time.time()) if user else (0.0, 0.0)
        search = LogSearch(settings)
        try:
            return _find(wanted, user, span, search) if user else _tell(wanted, ident, settings, search)
        finally:
            search.close()
    except StackError as error:
        return _fail(inert(error), UNCLEAR)
    except ConfigError as error:
        return _fail(inert(error), UNCLEAR)
    except SearchError as error:
        return _fail(inert(error), NO_STORE)
    except UnclearIdError as error:
        choices = "\n".join(f"  {inert(found)}" for found in error.idents)
        return _fail(f"Several ids begin with {inert(ident)}. Choose one:\n{choices}", UNCLEAR)


def _tell(wanted: Wanted, ident: str, settings: Settings, search: LogSearch) -> int:
    shown = SHOWN_RECORDS if wanted.limit is None else wanted.limit
    fetched = LARGEST_PAGE if wanted.limit == 0 else min(max(MOST_RECORDS, shown), LARGEST_PAGE)
    if wanted.as_json and wanted.limit:
        fetched = min(wanted.limit, LARGEST_PAGE)
    story = tell(ident, settings, search, fetched)
    if wanted.as_json:
        sys.stdout.buffer.write(as_document(story))
    elif story.found.records or story.found.dead_letters:
        show(screen(wanted.colour), lambda console: print_story(console, story, settings.jaeger_url, shown))
    if story.found.records or story.found.dead_letters:
        return 0
    return _fail(
        f"Nothing is known about {inert(ident)} yet: "
        f"no record in {settings.log_index_prefix}-* carries it as request, call or trace id. "
        "Records arrive about two seconds after they were written; `nobet status` says whether the shipper runs.",
        NOTHING,
    )


def _find(wanted: Wanted, user: str, span: tuple[float, float], search: LogSearch) -> int:
    limit = SHOWN_REQUESTS if wanted.limit is None else wanted.limit or LARGEST_PAGE
    report = find(search, user, *span, min(limit, LARGEST_PAGE))
    if wanted.as_json:
        sys.stdout.buffer.write(to_json(as_plain(report)))
    elif report.units:
        show(screen(wanted.colour), lambda console: _print_report(console, report))
    if report.units:
        return 0
    return _fail(
        f"No request of user {inert(user)} ended between {clock(report.start)} and {clock(report.end)} UTC. "
        "Was it another time zone (--tz Europe/Istanbul), or another user? --within 30 looks further.",
        NOTHING,
    )


def _print_report(console: Console, report: Report) -> None:
    extent = f"{clock(report.start)} to {clock(report.end, report.start)} UTC · {counted(report.total, 'request')}"
    console.print(Text("\nRequests of user ").append(short(report.user_id, 64), "bold").append(f"\n{extent}\n", "not bold dim"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="dim")
    for unit in report.units:
        style = ("", "yellow", "yellow", "red")[unit.badness]
        ending = str(unit.close_code or unit.status or unit.outcome)
        what = f"{inert(unit.method)} {short(unit.path, 60)}"
        problem = f"  {short((unit.record or {}).get('error_type', ''), 40)}" if (unit.record or {}).get("error_type") else ""
        table.add_row(
            clock(unit.end, report.start), Text(ending, style), duration(unit.seconds), Text(what + problem, style), short(unit.request_id)
        )
    console.print(table)
    if report.total > len(report.units):
        console.print(Text(f"… the newest {len(report.units):,} of {report.total:,}; --limit shows more, --within fewer.", "yellow"))
    console.print(_advice(report.worst))


def _advice(worst: Unit | None) -> Text:
    if worst is None:
        return Text()
    meant = "Most likely meant" if worst.badness else "None of them failed. The nearest"
    return Text(f"\n{meant}: ").append(f"nobet story {inert(worst.request_id)}", "bold")


def _fail(sentence: str, code: int) -> int:
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(sentence)
    return code
