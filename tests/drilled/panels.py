"""Which of the panels that may be empty while all is well showed data during a drill."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.stack.stack import Stack
from tests.support.grafana import boards
from tests.support.grafana.choices import choices
from tests.support.grafana.sources import Sources, Window
from tests.support.grafana.variables import Value

LOOK_SECONDS: Final = 300.0
"""A person looks at the last five minutes."""

STEP_SECONDS: Final = 30.0
"""And again after this time."""

_STORY: Final = "request-story"
_RECORDS: Final = {"Database queries": "event:(db.query OR db.query.slow OR db.query.failed)", "Dead letters": "*"}
"""Panel of the request story → the records of which one has an id to ask for."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A query of a declared panel, and when it was first seen with data."""

    query: boards.Query
    reason: str
    at: float | None
    """Unix seconds; None when it never was."""


def look(stack: Stack, drill: Window) -> Iterator[Shown]:
    """Ask every declared query as if a person had looked at it all through the drill."""
    sources = Sources(stack)
    try:
        for name in boards.names():
            for query in boards.queries(name):
                if boards.may_be_empty(query):
                    values = choices(sources, name, drill, {"id": _ident(sources, query)})
                    yield Shown(query, _reason(query), _first(sources, query, values, drill))
    finally:
        sources.close()


def _first(sources: Sources, query: boards.Query, values: Mapping[str, Value], drill: Window) -> float | None:
    """When the query first has data, looked at every now and then. Nothing when it never has."""
    end = drill.start + STEP_SECONDS
    while end < drill.end + STEP_SECONDS:
        if sources.ask(query, values, Window(end - LOOK_SECONDS, end)):
            return end
        end += STEP_SECONDS
    return None


def _reason(query: boards.Query) -> str:
    declared = boards.declared_empty()[query.board]
    return declared.get(query.name) or declared[query.panel["title"]]


def _ident(sources: Sources, query: boards.Query) -> str:
    """What a person would paste into the text box of the request story: the id of a request that has such records."""
    records = _RECORDS.get(query.panel["title"])
    known = sources.terms(query.source["uid"], "request_id", records) if query.board == _STORY and records else []
    return known[0] if known else "none"
