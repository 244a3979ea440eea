"""`nobet story ID`: one request everywhere, in the order in which it happened.

Finds every record that carries the id as request id, client's request id, call or
trace, in all services; what was refused on its way into the store; and the trace.
Records take a moment to arrive, so an empty or still growing answer is asked for
again for a few seconds.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeVar

import orjson
from rich.console import Console

from app.clients.jaeger import TraceSpan, TraceStoreError, fetch_trace
from app.clients.log_search import Found, LogSearch, SearchError
from app.core.config import ConfigError, Settings, load_settings
from app.core.console import inert
from app.stack.story_view import moment, print_story

PATIENCE_SECONDS: Final = 8.0
"""Spool to Elasticsearch takes about two seconds, a trace to Jaeger about four."""

SETTLED_SECONDS: Final = 10.0
"""A story whose last record is older than this is complete."""

MOST_TRACES: Final = 5

NO_SPANS: Final = "Jaeger has no spans of it: the request was not sampled, or its spans are still on their way."

_PAUSE_SECONDS: Final = 0.5
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class Trace:
    """A trace of the story: its spans, or why there are none."""

    trace_id: str
    spans: list[TraceSpan] = field(default_factory=list)
    problem: str = ""


@dataclass(slots=True)
class Story:
    """All that is known about an id."""

    ident: str
    found: Found
    traces: list[Trace] = field(default_factory=list)


def run(ident: str, as_json: bool) -> int:
    """Print the story of an id. 0 when there is one, 1 when nothing is found or the stores can't be asked."""
    try:
        settings = load_settings()
        search = LogSearch(settings)
        try:
            story = tell(ident.strip(), settings, search)
        finally:
            search.close()
    except (SearchError, ConfigError) as error:
        return _fail(inert(error))
    except UnclearIdError as error:
        return _fail(f"Several ids begin with {inert(ident)}. Choose one:\n" + "\n".join(f"  {inert(found)}" for found in error.idents))
    if as_json:
        sys.stdout.buffer.write(as_document(story))
    elif story.found.records or story.found.dead_letters:
        print_story(_console(), story, settings.jaeger_url)
    if not (story.found.records or story.found.dead_letters):
        return _fail(
            f"Nothing is known about {inert(ident)} yet: "
            f"no record in {settings.log_index_prefix}-* carries it as request, call or trace id. "
            "Records arrive about two seconds after they were written; `nobet status` says whether the shipper runs."
        )
    return 0


class UnclearIdError(Exception):
    """The text is the beginning of several ids."""

    def __init__(self, idents: list[str]) -> None:
        super().__init__(", ".join(idents))
        self.idents = idents


def tell(ident: str, settings: Settings, search: LogSearch) -> Story:
    """Gather the story. Raises SearchError or UnclearIdError; an unreachable Jaeger is told in the story itself."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found = _again_until(deadline, lambda: search.by_ids([ident]), lambda answer: bool(answer.records or answer.dead_letters))
    if not (found.records or found.dead_letters):
        whole = search.ids_beginning(ident)
        if len(whole) > 1:
            raise UnclearIdError(whole)
        if whole:
            ident = whole[0]
    found = _settled(search, ident, deadline)
    return Story(ident, found, [_trace(settings.jaeger_url, trace_id, found, deadline) for trace_id in _trace_ids(found)[:MOST_TRACES]])


def as_document(story: Story) -> bytes:
    """The story as JSON, with a newline at the end."""
    document: dict[str, Any] = {
        "id": story.ident,
        "records": story.found.records,
        "records_beyond_limit": story.found.more,
        "dead_letters": story.found.dead_letters,
        "traces": [asdict(trace) for trace in story.traces],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _settled(search: LogSearch, ident: str, deadline: float) -> Found:
    """The records, asked for until no more arrive."""
    count = -1
    while True:
        found = _with_traces(search, ident)
        if len(found.records) == count or not _is_fresh(found) or time.monotonic() > deadline:
            return found
        count = len(found.records)
        time.sleep(_PAUSE_SECONDS)


def _with_traces(search: LogSearch, ident: str) -> Found:
    """The records of the id, and those of other requests in the same traces."""
    found = search.by_ids([ident])
    return search.by_ids([ident, *_trace_ids(found)[:MOST_TRACES]]) if found.records else found


def _trace_ids(found: Found) -> list[str]:
    return list(dict.fromkeys(str(record["trace_id"]) for record in found.records if record.get("trace_id")))


def _trace(url: str, trace_id: str, found: Found, deadline: float) -> Trace:
    try:
        limit = deadline if _is_fresh(found) else 0.0
        spans = _again_until(limit, lambda: fetch_trace(url, trace_id), bool)
    except TraceStoreError as error:
        return Trace(trace_id, problem=str(error))
    return Trace(
        trace_id, spans, "" if spans else "Jaeger has no spans of it: the request was not sampled, or its spans are still on their way."
    )


def _again_until(deadline: float, ask: Callable[[], _Answer], enough: Callable[[_Answer], bool]) -> _Answer:
    """Ask until the answer is enough or the time is up; the last answer either way."""
    while not enough(answer := ask()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return answer


def _is_fresh(found: Found) -> bool:
    """Whether more may still be on its way."""
    return bool(found.records) and time.time() - moment(found.records[-1]) < SETTLED_SECONDS


def _console() -> Console:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, 120)
    return console


def _fail(sentence: str) -> int:
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(sentence)
    return 1
